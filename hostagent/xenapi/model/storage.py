"""Storage repositories and the disks on them."""

from hostagent.xenapi.model.table import declare

__all__ = ["PBD", "SM", "SR", "VDI"]

SR = declare(
    "SR",
    enums={
        "storage_operations": (
            "scan destroy forget plug unplug update vdi_create vdi_introduce vdi_destroy vdi_resize "
            "vdi_clone vdi_snapshot vdi_mirror vdi_enable_cbt vdi_disable_cbt vdi_data_destroy "
            "vdi_list_changed_blocks vdi_set_on_boot vdi_blocked vdi_copy vdi_force_unlock vdi_forget "
            "vdi_generate_config vdi_resize_online vdi_update vdi_revert pbd_create pbd_destroy"
        ),
    },
    fields="""
        RO  uuid                 string
        INI name_label           string = ""
        INI name_description     string = ""
        RO  allowed_operations   enum storage_operations set = []
        RO  current_operations   (string -> enum storage_operations) map = {}
        RO  VDIs                 VDI ref set
        RO  PBDs                 PBD ref set
        RO  virtual_allocation   int
        RO  physical_utilisation int
        INI physical_size        int
        INI type                 string
        INI content_type         string
        RO  shared               bool
        RW  other_config         (string -> string) map
        RW  tags                 string set = []
        RW  sm_config            (string -> string) map = {}
        RO  blobs                (string -> blob ref) map = {}
        RO  local_cache_enabled  bool = false
        RO  introduced_by        DR_task ref = OpaqueRef:NULL
        RO  clustered            bool = false
        RO  is_tools_sr          bool = false
    """,
    messages="""
        assert_can_host_ha_statefile(sr: SR ref)
        assert_supports_database_replication(sr: SR ref)
        create(host: host ref, device_config: (string -> string) map, physical_size: int, name_label: string, \
            name_description: string, type: string, content_type: string, shared: bool, sm_config?: (string \
            -> string) map) -> SR ref
        create_new_blob(sr: SR ref, name: string, mime_type: string, public?: bool) -> blob ref
        destroy(sr: SR ref)
        disable_database_replication(sr: SR ref)
        enable_database_replication(sr: SR ref)
        forget(sr: SR ref)
        forget_data_source_archives(sr: SR ref, data_source: string)
        get_data_sources(sr: SR ref) -> data_source record set
        get_supported_types() -> string set
        introduce(uuid: string, name_label: string, name_description: string, type: string, content_type: \
            string, shared: bool, sm_config?: (string -> string) map) -> SR ref
        make(host: host ref, device_config: (string -> string) map, physical_size: int, name_label: string, \
            name_description: string, type: string, content_type: string, sm_config?: (string -> string) map) \
            -> string
        probe(host: host ref, device_config: (string -> string) map, type: string, sm_config?: (string -> \
            string) map) -> string
        probe_ext(host: host ref, device_config: (string -> string) map, type: string, sm_config?: (string -> \
            string) map) -> probe_result record set
        query_data_source(sr: SR ref, data_source: string) -> float
        record_data_source(sr: SR ref, data_source: string)
        scan(sr: SR ref)
        set_name_description(sr: SR ref, value: string)
        set_name_label(sr: SR ref, value: string)
        set_physical_size(self: SR ref, value: int)
        set_shared(sr: SR ref, value: bool)
        update(sr: SR ref)
    """,
)

SM = declare(
    "SM",
    enums={
        "image_format_type": "raw vhd qcow2",
    },
    fields="""
        RO  uuid                    string
        RO  name_label              string = ""
        RO  name_description        string = ""
        RO  type                    string
        RO  vendor                  string
        RO  copyright               string
        RO  version                 string
        RO  required_api_version    string
        RO  configuration           (string -> string) map
        RO  capabilities            string set = []
        RO  features                (string -> int) map = {}
        RW  other_config            (string -> string) map = {}
        RO  driver_filename         string = ""
        RO  required_cluster_stack  string set = []
        RO  supported_image_formats enum image_format_type set = []
    """,
)

PBD = declare(
    "PBD",
    fields="""
        RO  uuid               string
        INI host               host ref
        INI SR                 SR ref
        INI device_config      (string -> string) map
        RO  currently_attached bool
        RW  other_config       (string -> string) map = {}
    """,
    messages="""
        create(args: PBD record) -> PBD ref
        destroy(self: PBD ref)
        plug(self: PBD ref)
        set_device_config(self: PBD ref, value: (string -> string) map)
        unplug(self: PBD ref)
    """,
)

VDI = declare(
    "VDI",
    enums={
        "vdi_operations": (
            "clone copy resize resize_online snapshot mirror destroy forget update force_unlock "
            "generate_config enable_cbt disable_cbt data_destroy list_changed_blocks set_on_boot blocked "
            "revert_to revert_from"
        ),
        "vdi_type": (
            "system user ephemeral suspend crashdump ha_statefile metadata redo_log rrd pvs_cache cbt_metadata"
        ),
        "on_boot": "reset persist",
    },
    fields="""
        RO  uuid                 string
        INI name_label           string = ""
        INI name_description     string = ""
        RO  allowed_operations   enum vdi_operations set = []
        RO  current_operations   (string -> enum vdi_operations) map = {}
        INI SR                   SR ref
        RO  VBDs                 VBD ref set
        RO  crash_dumps          crashdump ref set
        INI virtual_size         int
        RO  physical_utilisation int
        INI type                 enum vdi_type
        INI sharable             bool
        INI read_only            bool
        RW  other_config         (string -> string) map
        RO  storage_lock         bool
        RO  location             string = ""
        RO  managed              bool
        RO  missing              bool
        RO  parent               VDI ref
        RW  xenstore_data        (string -> string) map = {}
        RW  sm_config            (string -> string) map = {}
        RO  is_a_snapshot        bool = false
        RO  snapshot_of          VDI ref = OpaqueRef:NULL
        RO  snapshots            VDI ref set
        RO  snapshot_time        datetime = 19700101T00:00:00Z
        RW  tags                 string set = []
        RO  allow_caching        bool = false
        RO  on_boot              enum on_boot = persist
        RO  metadata_of_pool     pool ref = OpaqueRef:NULL
        RO  metadata_latest      bool = false
        RO  is_tools_iso         bool = false
        RO  cbt_enabled          bool = false
    """,
    messages="""
        clone(vdi: VDI ref, driver_params?: (string -> string) map) -> VDI ref
        copy(vdi: VDI ref, sr?: SR ref, base_vdi?: VDI ref, into_vdi?: VDI ref) -> VDI ref
        create(args: VDI record) -> VDI ref
        data_destroy(self: VDI ref)
        destroy(self: VDI ref)
        disable_cbt(self: VDI ref)
        enable_cbt(self: VDI ref)
        forget(vdi: VDI ref)
        get_nbd_info(self: VDI ref) -> vdi_nbd_server_info record set
        introduce(uuid: string, name_label: string, name_description: string, SR: SR ref, type: enum \
            vdi_type, sharable: bool, read_only: bool, other_config: (string -> string) map, location: \
            string, xenstore_data?: (string -> string) map, sm_config?: (string -> string) map, managed?: \
            bool, virtual_size?: int, physical_utilisation?: int, metadata_of_pool?: pool ref, \
            is_a_snapshot?: bool, snapshot_time?: datetime, snapshot_of?: VDI ref) -> VDI ref
        list_changed_blocks(vdi_from: VDI ref, vdi_to: VDI ref) -> string
        open_database(self: VDI ref) -> session ref
        pool_migrate(vdi: VDI ref, sr: SR ref, options: (string -> string) map) -> VDI ref
        read_database_pool_uuid(self: VDI ref) -> string
        resize(vdi: VDI ref, size: int)
        resize_online(vdi: VDI ref, size: int)
        revert(snapshot: VDI ref)
        set_allow_caching(self: VDI ref, value: bool)
        set_name_description(self: VDI ref, value: string)
        set_name_label(self: VDI ref, value: string)
        set_on_boot(self: VDI ref, value: enum on_boot)
        set_read_only(self: VDI ref, value: bool)
        set_sharable(self: VDI ref, value: bool)
        snapshot(vdi: VDI ref, driver_params?: (string -> string) map) -> VDI ref
        update(vdi: VDI ref)
    """,
)
