"""Networks and physical interfaces."""

from hostagent.xenapi.model.table import declare

__all__ = ["BOND", "NETWORK", "PIF", "PIF_METRICS", "TUNNEL", "VLAN"]

NETWORK = declare(
    "network",
    enums={
        "network_operations": "attaching",
        "network_default_locking_mode": "unlocked disabled",
        "network_purpose": "nbd insecure_nbd",
    },
    fields="""
        RO  uuid                 string
        RW  name_label           string = ""
        RW  name_description     string = ""
        RO  allowed_operations   enum network_operations set = []
        RO  current_operations   (string -> enum network_operations) map = {}
        RO  VIFs                 VIF ref set
        RO  PIFs                 PIF ref set
        RW  MTU                  int = 1500
        RW  other_config         (string -> string) map
        INI bridge               string = ""
        INI managed              bool = true
        RO  blobs                (string -> blob ref) map = {}
        RW  tags                 string set = []
        RO  default_locking_mode enum network_default_locking_mode = unlocked
        RO  assigned_ips         (VIF ref -> string) map = {}
        RO  purpose              enum network_purpose set = []
    """,
    messages="""
        add_purpose(self: network ref, value: enum network_purpose)
        create(args: network record) -> network ref
        create_new_blob(network: network ref, name: string, mime_type: string, public?: bool) -> blob ref
        destroy(self: network ref)
        remove_purpose(self: network ref, value: enum network_purpose)
        set_default_locking_mode(network: network ref, value: enum network_default_locking_mode)
    """,
)

PIF = declare(
    "PIF",
    enums={
        "pif_igmp_status": "enabled disabled unknown",
        "ip_configuration_mode": "None DHCP Static",
        "ipv6_configuration_mode": "None DHCP Static Autoconf",
        "primary_address_type": "IPv4 IPv6",
    },
    fields="""
        RO  uuid                    string
        INI device                  string
        INI network                 network ref
        INI host                    host ref
        INI MAC                     string
        INI MTU                     int
        INI VLAN                    int
        RO  metrics                 PIF_metrics ref
        RO  physical                bool = false
        RO  currently_attached      bool = true
        RO  ip_configuration_mode   enum ip_configuration_mode = None
        RO  IP                      string = ""
        RO  netmask                 string = ""
        RO  gateway                 string = ""
        RO  DNS                     string = ""
        RO  bond_slave_of           Bond ref = OpaqueRef:NULL
        RO  bond_master_of          Bond ref set
        RO  VLAN_master_of          VLAN ref = OpaqueRef:NULL
        RO  VLAN_slave_of           VLAN ref set
        RO  management              bool = false
        RW  other_config            (string -> string) map = {}
        RO  disallow_unplug         bool = false
        RO  tunnel_access_PIF_of    tunnel ref set
        RO  tunnel_transport_PIF_of tunnel ref set
        RO  ipv6_configuration_mode enum ipv6_configuration_mode = None
        RO  IPv6                    string set = []
        RO  ipv6_gateway            string = ""
        RO  primary_address_type    enum primary_address_type = IPv4
        INI managed                 bool = true
        RO  properties              (string -> string) map = {}
        RO  capabilities            string set = []
        RO  igmp_snooping_status    enum pif_igmp_status = unknown
        RO  sriov_physical_PIF_of   network_sriov ref set
        RO  sriov_logical_PIF_of    network_sriov ref set
        RO  PCI                     PCI ref = OpaqueRef:NULL
    """,
    messages="""
        create_VLAN(device: string, network: network ref, host: host ref, VLAN: int) -> PIF ref
        db_forget(self: PIF ref)
        db_introduce(device: string, network: network ref, host: host ref, MAC: string, MTU: int, VLAN: int, \
            physical: bool, ip_configuration_mode: enum ip_configuration_mode, IP: string, netmask: string, \
            gateway: string, DNS: string, bond_slave_of: Bond ref, VLAN_master_of: VLAN ref, management: \
            bool, other_config: (string -> string) map, disallow_unplug?: bool, ipv6_configuration_mode?: \
            enum ipv6_configuration_mode, IPv6?: string set, ipv6_gateway?: string, primary_address_type?: \
            enum primary_address_type, managed?: bool, properties?: (string -> string) map) -> PIF ref
        destroy(self: PIF ref)
        forget(self: PIF ref)
        introduce(host: host ref, MAC: string, device: string, managed?: bool) -> PIF ref
        plug(self: PIF ref)
        reconfigure_ip(self: PIF ref, mode: enum ip_configuration_mode, IP: string, netmask: string, gateway: \
            string, DNS: string)
        reconfigure_ipv6(self: PIF ref, mode: enum ipv6_configuration_mode, IPv6: string, gateway: string, \
            DNS: string)
        scan(host: host ref)
        set_disallow_unplug(self: PIF ref, value: bool)
        set_primary_address_type(self: PIF ref, primary_address_type: enum primary_address_type)
        set_property(self: PIF ref, name: string, value: string)
        unplug(self: PIF ref)
    """,
)

PIF_METRICS = declare(
    "PIF_metrics",
    fields="""
        RO  uuid         string
        RO  io_read_kbs  float = 0.0
        RO  io_write_kbs float = 0.0
        RO  carrier      bool
        RO  vendor_id    string
        RO  vendor_name  string
        RO  device_id    string
        RO  device_name  string
        RO  speed        int
        RO  duplex       bool
        RO  pci_bus_path string
        RO  last_updated datetime
        RW  other_config (string -> string) map = {}
    """,
)

BOND = declare(
    "Bond",
    enums={
        "bond_mode": "balance-slb active-backup lacp",
    },
    fields="""
        RO  uuid            string
        INI master          PIF ref = OpaqueRef:NULL
        RO  slaves          PIF ref set
        RW  other_config    (string -> string) map = {}
        RO  primary_slave   PIF ref = OpaqueRef:NULL
        RO  mode            enum bond_mode = balance-slb
        RO  properties      (string -> string) map = {}
        RO  links_up        int = 0
        RO  auto_update_mac bool = true
    """,
    messages="""
        create(network: network ref, members: PIF ref set, MAC: string, mode?: enum bond_mode, properties?: \
            (string -> string) map) -> Bond ref
        destroy(self: Bond ref)
        set_mode(self: Bond ref, value: enum bond_mode)
        set_property(self: Bond ref, name: string, value: string)
    """,
)

VLAN = declare(
    "VLAN",
    fields="""
        RO  uuid         string
        INI tagged_PIF   PIF ref = OpaqueRef:NULL
        RO  untagged_PIF PIF ref = OpaqueRef:NULL
        INI tag          int = -1
        RW  other_config (string -> string) map = {}
    """,
    messages="""
        create(tagged_PIF: PIF ref, tag: int, network: network ref) -> VLAN ref
        destroy(self: VLAN ref)
    """,
)

TUNNEL = declare(
    "tunnel",
    enums={
        "tunnel_protocol": "gre vxlan",
    },
    fields="""
        RO  uuid          string
        INI access_PIF    PIF ref = OpaqueRef:NULL
        INI transport_PIF PIF ref = OpaqueRef:NULL
        RW  status        (string -> string) map = {"active": "false"}
        RW  other_config  (string -> string) map = {}
        RW  protocol      enum tunnel_protocol = gre
    """,
    messages="""
        create(transport_PIF: PIF ref, network: network ref, protocol?: enum tunnel_protocol) -> tunnel ref
        destroy(self: tunnel ref)
    """,
)
