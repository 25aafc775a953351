"""The ledger: what was written where it cannot be read back, and how the service showed it right afterwards.

``rows.py`` is its words and what they add up to, ``seal.py`` the hashes, ``judge.py`` what they say of a comparison,
``witness.py`` what a database's journal adds to that, ``owners.py`` whose an entity is, ``origin.py`` drift or
pending, ``record.py`` what an apply puts down: all pure. ``file.py`` and ``table.py`` keep it, ``book.py`` ties it to
one spec on one cluster. Only applies write it.
"""
