"""The import contract of our own."""

from grimp import ImportGraph

from tools.contracts import PrivateModulesContract


def check(*imports: tuple[str, str]) -> list[tuple[str, str]]:
    graph = ImportGraph()
    for importer, imported in imports:
        graph.add_module(importer)
        graph.add_module(imported)
        graph.add_import(importer=importer, imported=imported)
    contract = PrivateModulesContract(
        name="private",
        session_options={"root_packages": ["a", "b"]},
        contract_options={"apps": ["a", "b"], "modules": ["views", "tasks"]},
    )
    return contract.check(graph, verbose=False).metadata["broken"]


def test_an_app_may_use_its_own_views():
    assert check(("a.urls", "a.views"), ("a.urls", "a.views.pages"), ("b.urls", "b.views")) == []


def test_views_of_another_app_are_out_of_reach_at_any_depth():
    assert check(("b.urls", "a.views"), ("b.actions", "a.views.pages")) == [
        ("b.urls", "a.views"),
        ("b.actions", "a.views.pages"),
    ]


def test_other_modules_are_free():
    assert check(("b.actions", "a.actions"), ("b.views", "a.viewsets")) == []
