"""The lab: real Xen hosts in QEMU, without hardware and without KVM.

``python -m tests.lab list`` names the scenarios. A scenario is a function that gets a :class:`tests.lab.stage.Stage`
and boots machines with it; whatever it started is ended with it, and what it left behind is kept when it failed.
"""
