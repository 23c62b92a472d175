"""What belongs to a virtual machine: metrics, console."""

from hostagent.xenapi.model.table import declare

__all__ = ["CONSOLE", "VM_GUEST_METRICS", "VM_METRICS"]

VM_METRICS = declare(
    "VM_metrics",
    enums={
        "domain_type": "hvm pv pv_in_pvh pvh unspecified",
    },
    fields="""
        RO  uuid                string
        RO  memory_actual       int
        RO  VCPUs_number        int
        RO  VCPUs_utilisation   (int -> float) map = {}
        RO  VCPUs_CPU           (int -> int) map
        RO  VCPUs_params        (string -> string) map
        RO  VCPUs_flags         (int -> string set) map
        RO  state               string set
        RO  start_time          datetime
        RO  install_time        datetime
        RO  last_updated        datetime
        RW  other_config        (string -> string) map = {}
        RO  hvm                 bool = false
        RO  nested_virt         bool = false
        RO  nomigrate           bool = false
        RO  current_domain_type enum domain_type = unspecified
        INI numa_optimised      bool = false
        INI numa_nodes          int = 0
        RO  numa_node_memory    (int -> int) map = {}
    """,
)

VM_GUEST_METRICS = declare(
    "VM_guest_metrics",
    enums={
        "tristate_type": "yes no unspecified",
    },
    fields="""
        RO  uuid                  string
        RO  os_version            (string -> string) map
        RO  netbios_name          (string -> string) map = {}
        RO  PV_drivers_version    (string -> string) map
        RO  PV_drivers_up_to_date bool
        RO  memory                (string -> string) map = {}
        RO  disks                 (string -> string) map = {}
        RO  networks              (string -> string) map
        RO  other                 (string -> string) map
        RO  last_updated          datetime
        RW  other_config          (string -> string) map = {}
        RO  live                  bool = false
        RO  can_use_hotplug_vbd   enum tristate_type = unspecified
        RO  can_use_hotplug_vif   enum tristate_type = unspecified
        RO  PV_drivers_detected   bool = false
        RO  services              (string -> string) map = {}
    """,
)

CONSOLE = declare(
    "console",
    enums={
        "console_protocol": "vt100 rfb rdp",
    },
    fields="""
        RO  uuid         string
        RO  protocol     enum console_protocol
        RO  location     string
        RO  VM           VM ref
        RW  other_config (string -> string) map
    """,
    messages="""
        create(args: console record) -> console ref
        destroy(self: console ref)
    """,
)
