"""How the appliance's operating system is made: from Debian's packages and our wheels to a disk.

``pipeline.py`` is the table of contents. Imports ``firmware`` only, never ``services`` or
``appliance``: of Coffer it takes wheels, units and nothing else.
"""
