"""Believable made-up data: stores, staff, customers, cars and eight years of their histories.

``people`` and ``cars`` invent one customer after the other without touching the database (a customer depends on the
seed, the date and its number alone); ``load`` writes them, ``workbook`` lays them out as a file for the importer.
"""
