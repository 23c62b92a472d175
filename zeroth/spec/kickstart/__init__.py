"""The kickstart language, read with pykickstart.

pykickstart may be loaded only by the reader, a process of its own (``python -m zeroth.spec.kickstart``): see
docs/decisions/0001-licence.md. In this package ``__main__``, ``bar``, ``commands``, ``filling``, ``networks``,
``own`` and ``parser`` belong to that process; ``client`` and ``writer`` do not; the others serve both sides
and load nothing but Python's own library.
"""
