"""An import contract that import-linter does not bring along."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PrivateModulesContract(Contract):
    """Some modules of each app are that app's own business.

    ``apps`` lists the packages, ``modules`` the names inside them (``views``, ``forms`` …; they need not exist in each
    app). A direct import of such a module, or of what is below it, from outside its app breaks the contract.
    """

    type_name = "private_modules"
    apps = fields.ListField(subfield=fields.StringField())
    modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every direct import of a private module whose importer lives in another package."""
        private = [f"{app}.{module}" for app in self.apps for module in self.modules]  # type: ignore[attr-defined]
        broken = [
            (importer, imported)
            for imported in sorted(graph.modules)
            if any(imported == name or imported.startswith(f"{name}.") for name in private)
            for importer in sorted(graph.find_modules_that_directly_import(imported))
            if importer.partition(".")[0] != imported.partition(".")[0]
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line for each import that breaks the contract."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}, which belongs to its own app alone.", bold=False)
