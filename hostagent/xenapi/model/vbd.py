"""Virtual block devices."""

from hostagent.xenapi.model.table import declare

__all__ = ["VBD"]

VBD = declare(
    "VBD",
    enums={
        "vbd_operations": "attach eject insert plug unplug unplug_force pause unpause",
        "vbd_type": "CD Disk Floppy",
        "vbd_mode": "RO RW",
    },
    fields="""
        RO  uuid                     string
        RO  allowed_operations       enum vbd_operations set = []
        RO  current_operations       (string -> enum vbd_operations) map = {}
        INI VM                       VM ref
        INI VDI                      VDI ref
        INI device                   string = ""
        RW  userdevice               string
        RW  bootable                 bool
        INI mode                     enum vbd_mode
        RW  type                     enum vbd_type
        RW  unpluggable              bool = true
        RO  storage_lock             bool
        INI empty                    bool
        RW  other_config             (string -> string) map
        INI currently_attached       bool = false
        RO  status_code              int
        RO  status_detail            string
        RO  runtime_properties       (string -> string) map
        RW  qos_algorithm_type       string
        RW  qos_algorithm_params     (string -> string) map
        RO  qos_supported_algorithms string set
        RO  metrics                  VBD_metrics ref = OpaqueRef:NULL
    """,
    messages="""
        assert_attachable(self: VBD ref)
        create(args: VBD record) -> VBD ref
        destroy(self: VBD ref)
        eject(vbd: VBD ref)
        insert(vbd: VBD ref, vdi: VDI ref)
        plug(self: VBD ref)
        set_mode(self: VBD ref, value: enum vbd_mode)
        unplug(self: VBD ref)
        unplug_force(self: VBD ref)
    """,
)
