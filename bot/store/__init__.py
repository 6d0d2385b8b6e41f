"""The store: tables, migrations and the one kind of transaction that changes them."""
