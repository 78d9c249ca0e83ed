"""Reading customers, cars and odometer logs from the files that stores have (issue: real input).

``reading`` turns a file into rows, ``columns`` finds out what its columns mean, ``cells`` what its cells say, ``rows``
makes a customer and a car of a row, ``customers`` and ``odometer`` write. It belongs to this app because it writes
customers, cars and their last service: everything up to this layer.
"""
