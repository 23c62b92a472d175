"""Hosts, their metrics and processors."""

from hostagent.xenapi.model.table import declare

__all__ = ["HOST", "HOST_CPU", "HOST_METRICS"]

HOST = declare(
    "host",
    enums={
        "host_allowed_operations": (
            "provision evacuate shutdown reboot power_on vm_start vm_resume vm_migrate apply_updates enable"
        ),
        "latest_synced_updates_applied_state": "yes no unknown",
        "update_guidances": (
            "reboot_host reboot_host_on_livepatch_failure reboot_host_on_kernel_livepatch_failure "
            "reboot_host_on_xen_livepatch_failure restart_toolstack restart_device_model restart_vm"
        ),
        "host_display": "enabled disable_on_reboot disabled enable_on_reboot",
        "host_sched_gran": "core cpu socket",
        "host_numa_affinity_policy": "any best_effort default_policy",
        "host_ntp_mode": "DHCP Custom Factory Disabled",
    },
    fields="""
        RO  uuid                               string
        RW  name_label                         string = ""
        RW  name_description                   string = ""
        RO  memory_overhead                    int = 0
        RO  allowed_operations                 enum host_allowed_operations set = []
        RO  current_operations                 (string -> enum host_allowed_operations) map = {}
        RO  API_version_major                  int
        RO  API_version_minor                  int
        RO  API_version_vendor                 string
        RO  API_version_vendor_implementation  (string -> string) map
        RO  enabled                            bool
        INI software_version                   (string -> string) map
        RW  other_config                       (string -> string) map
        INI capabilities                       string set
        RO  cpu_configuration                  (string -> string) map
        RO  sched_policy                       string
        RO  supported_bootloaders              string set
        RO  resident_VMs                       VM ref set
        RW  logging                            (string -> string) map
        RO  PIFs                               PIF ref set
        RW  suspend_image_sr                   SR ref
        RW  crash_dump_sr                      SR ref
        RO  crashdumps                         host_crashdump ref set
        RO  patches                            host_patch ref set
        RO  updates                            pool_update ref set
        RO  PBDs                               PBD ref set
        RO  host_CPUs                          host_cpu ref set
        RO  cpu_info                           (string -> string) map = {}
        RW  hostname                           string
        RW  address                            string
        RO  metrics                            host_metrics ref
        RO  license_params                     (string -> string) map
        RO  ha_statefiles                      string set = []
        RO  ha_network_peers                   string set = []
        RO  blobs                              (string -> blob ref) map = {}
        RW  tags                               string set = []
        RO  external_auth_type                 string = ""
        RO  external_auth_service_name         string = ""
        RO  external_auth_configuration        (string -> string) map = {}
        RO  edition                            string = ""
        RW  license_server                     (string -> string) map = {"address": "localhost", "port": "27000"}
        RO  bios_strings                       (string -> string) map = {}
        RO  power_on_mode                      string = ""
        RO  power_on_config                    (string -> string) map = {}
        INI local_cache_sr                     SR ref = OpaqueRef:NULL
        RO  chipset_info                       (string -> string) map = {}
        RO  PCIs                               PCI ref set
        RO  PGPUs                              PGPU ref set
        RO  PUSBs                              PUSB ref set
        INI ssl_legacy                         bool = true
        RW  guest_VCPUs_params                 (string -> string) map = {}
        RW  display                            enum host_display = enabled
        RO  virtual_hardware_platform_versions int set = [0]
        RO  control_domain                     VM ref = OpaqueRef:NULL
        RO  updates_requiring_reboot           pool_update ref set
        RO  features                           Feature ref set
        INI iscsi_iqn                          string = ""
        INI multipathing                       bool = false
        INI uefi_certificates                  string = ""
        RO  certificates                       Certificate ref set
        RO  editions                           string set = []
        RO  pending_guidances                  enum update_guidances set = []
        RO  tls_verification_enabled           bool = false
        RO  last_software_update               datetime = 19700101T00:00:00Z
        RO  https_only                         bool = false
        RO  latest_synced_updates_applied      enum latest_synced_updates_applied_state = unknown
        RO  numa_affinity_policy               enum host_numa_affinity_policy = default_policy
        RO  pending_guidances_recommended      enum update_guidances set = []
        RO  pending_guidances_full             enum update_guidances set = []
        RO  last_update_hash                   string = ""
        RO  ssh_enabled                        bool = true
        RO  ssh_enabled_timeout                int = 0
        RO  ssh_expiry                         datetime = 19700101T00:00:00Z
        RO  console_idle_timeout               int = 0
        RO  ssh_auto_mode                      bool = false
        RO  max_cstate                         string = ""
        RO  secure_boot                        bool = false
        RO  ntp_mode                           enum host_ntp_mode = Factory
        RO  ntp_custom_servers                 string set = []
        RO  timezone                           string = "UTC"
    """,
    messages="""
        apply_edition(host: host ref, edition: string, force?: bool)
        removed apply_recommended_guidances(self: host ref)
        apply_updates(self: host ref, hash: string) -> string set set
        assert_can_evacuate(host: host ref)
        backup_rrds(host: host ref, delay: float)
        bugreport_upload(host: host ref, url: string, options: (string -> string) map)
        call_extension(host: host ref, call: string) -> string
        call_plugin(host: host ref, plugin: string, fn: string, args: (string -> string) map) -> string
        compute_free_memory(host: host ref) -> int
        compute_memory_overhead(host: host ref) -> int
        create_new_blob(host: host ref, name: string, mime_type: string, public?: bool) -> blob ref
        declare_dead(host: host ref)
        destroy(self: host ref)
        disable(host: host ref, auto_enable?: bool)
        disable_display(host: host ref) -> enum host_display
        disable_external_auth(host: host ref, config?: (string -> string) map, force?: bool)
        disable_local_storage_caching(host: host ref)
        disable_ssh(self: host ref)
        dmesg(host: host ref) -> string
        dmesg_clear(host: host ref) -> string
        emergency_clear_mandatory_guidance()
        emergency_disable_tls_verification()
        emergency_ha_disable(soft?: bool)
        emergency_reenable_tls_verification()
        emergency_reset_server_certificate()
        enable(host: host ref)
        enable_display(host: host ref) -> enum host_display
        enable_external_auth(host: host ref, config: (string -> string) map, service_name: string, auth_type: \
            string)
        enable_local_storage_caching(host: host ref, sr: SR ref)
        enable_ssh(self: host ref)
        evacuate(host: host ref, network?: network ref, evacuate_batch_size?: int)
        external_auth_set_ldaps(host: host ref, ldaps: bool, force?: bool)
        forget_data_source_archives(host: host ref, data_source: string)
        get_data_sources(host: host ref) -> data_source record set
        get_log(host: host ref) -> string
        get_management_interface(host: host ref) -> PIF ref
        get_ntp_servers_status(self: host ref) -> (string -> string) map
        get_ntp_synchronized(self: host ref) -> bool
        get_sched_gran(self: host ref) -> enum host_sched_gran
        get_server_certificate(host: host ref) -> string
        get_server_localtime(host: host ref) -> datetime
        get_servertime(host: host ref) -> datetime
        get_system_status_capabilities(host: host ref) -> string
        get_tracked_user_agents(self: host ref) -> (string -> string) map
        get_uncooperative_resident_VMs(self: host ref) -> VM ref set
        get_vms_which_prevent_evacuation(self: host ref) -> (VM ref -> string set) map
        has_extension(host: host ref, name: string) -> bool
        install_server_certificate(host: host ref, certificate: string, private_key: string, \
            certificate_chain?: string)
        license_add(host: host ref, contents: string)
        removed license_apply(host: host ref, contents: string)
        license_remove(host: host ref)
        list_methods() -> string set
        list_timezones(self: host ref) -> string set
        local_management_reconfigure(interface: string)
        management_disable()
        management_reconfigure(pif: PIF ref)
        migrate_receive(host: host ref, network: network ref, options: (string -> string) map) -> (string -> \
            string) map
        power_on(host: host ref)
        query_data_source(host: host ref, data_source: string) -> float
        reboot(host: host ref)
        record_data_source(host: host ref, data_source: string)
        refresh_pack_info(host: host ref)
        refresh_server_certificate(host: host ref)
        rescan_drivers(self: host ref)
        removed reset_cpu_features(host: host ref)
        reset_server_certificate(host: host ref)
        restart_agent(host: host ref)
        retrieve_wlb_evacuate_recommendations(self: host ref) -> (VM ref -> string set) map
        send_debug_keys(host: host ref, keys: string)
        set_console_idle_timeout(self: host ref, value: int)
        removed set_cpu_features(host: host ref, features: string)
        set_hostname_live(host: host ref, hostname: string)
        set_https_only(self: host ref, value: bool)
        set_iscsi_iqn(host: host ref, value: string)
        set_max_cstate(self: host ref, value: string)
        set_multipathing(host: host ref, value: bool)
        set_ntp_custom_servers(self: host ref, value: string set)
        set_ntp_mode(self: host ref, value: enum host_ntp_mode)
        set_numa_affinity_policy(self: host ref, value: enum host_numa_affinity_policy)
        set_power_on_mode(self: host ref, power_on_mode: string, power_on_config: (string -> string) map)
        set_sched_gran(self: host ref, value: enum host_sched_gran)
        set_servertime(self: host ref, value: datetime)
        set_ssh_auto_mode(self: host ref, value: bool)
        set_ssh_enabled_timeout(self: host ref, value: int)
        set_ssl_legacy(self: host ref, value: bool)
        set_timezone(self: host ref, value: string)
        set_uefi_certificates(host: host ref, value: string)
        shutdown(host: host ref)
        shutdown_agent()
        sync_data(host: host ref)
        syslog_reconfigure(host: host ref)
    """,
)

HOST_METRICS = declare(
    "host_metrics",
    fields="""
        RO  uuid         string
        RO  memory_total int
        RO  memory_free  int = 0
        RO  live         bool
        RO  last_updated datetime
        RW  other_config (string -> string) map = {}
    """,
)

HOST_CPU = declare(
    "host_cpu",
    fields="""
        RO  uuid         string
        RO  host         host ref
        RO  number       int
        RO  vendor       string
        RO  speed        int
        RO  modelname    string
        RO  family       int
        RO  model        int
        RO  stepping     string
        RO  flags        string
        RO  features     string
        RO  utilisation  float
        RW  other_config (string -> string) map = {}
    """,
)
