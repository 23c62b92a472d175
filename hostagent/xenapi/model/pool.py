"""The pool."""

from hostagent.xenapi.model.table import declare

__all__ = ["POOL"]

POOL = declare(
    "pool",
    enums={
        "pool_allowed_operations": (
            "ha_enable ha_disable cluster_create designate_new_master configure_repositories sync_updates "
            "sync_bundle get_updates apply_updates tls_verification_enable cert_refresh "
            "exchange_certificates_on_join exchange_ca_certificates_on_join copy_primary_host_certs eject "
            "exchange_crls_on_join"
        ),
        "telemetry_frequency": "daily weekly monthly",
        "update_sync_frequency": "daily weekly",
        "pool_guest_secureboot_readiness": "ready ready_no_dbx not_ready",
        "certificate_purpose": "licensing ldaps",
    },
    fields="""
        RO  uuid                                   string
        RW  name_label                             string
        RW  name_description                       string
        RO  master                                 host ref
        RW  default_SR                             SR ref
        RW  suspend_image_SR                       SR ref
        RW  crash_dump_SR                          SR ref
        RW  other_config                           (string -> string) map
        RO  ha_enabled                             bool = false
        RO  ha_configuration                       (string -> string) map = {}
        RO  ha_statefiles                          string set = []
        RO  ha_host_failures_to_tolerate           int = 0
        RO  ha_plan_exists_for                     int = 0
        RW  ha_allow_overcommit                    bool = false
        RO  ha_overcommitted                       bool = false
        RO  blobs                                  (string -> blob ref) map = {}
        RW  tags                                   string set = []
        RW  gui_config                             (string -> string) map = {}
        RW  health_check_config                    (string -> string) map = {}
        RO  wlb_url                                string = ""
        RO  wlb_username                           string = ""
        RW  wlb_enabled                            bool = false
        RW  wlb_verify_cert                        bool = false
        RO  redo_log_enabled                       bool = false
        RO  redo_log_vdi                           VDI ref = OpaqueRef:NULL
        RO  vswitch_controller                     string = ""
        RO  restrictions                           (string -> string) map = {}
        RO  metadata_VDIs                          VDI ref set
        RO  ha_cluster_stack                       string = ""
        RO  allowed_operations                     enum pool_allowed_operations set = []
        RO  current_operations                     (string -> enum pool_allowed_operations) map = {}
        RO  guest_agent_config                     (string -> string) map = {}
        RO  cpu_info                               (string -> string) map = {}
        RW  policy_no_vendor_device                bool = false
        RW  live_patching_disabled                 bool = false
        RO  igmp_snooping_enabled                  bool = false
        INI uefi_certificates                      string = ""
        INI custom_uefi_certificates               string = ""
        RW  is_psr_pending                         bool = false
        RO  tls_verification_enabled               bool = false
        RO  repositories                           Repository ref set = []
        RO  client_certificate_auth_enabled        bool = false
        RO  client_certificate_auth_name           string = ""
        RO  repository_proxy_url                   string = ""
        RO  repository_proxy_username              string = ""
        RO  repository_proxy_password              secret ref = OpaqueRef:NULL
        RW  migration_compression                  bool = false
        RW  coordinator_bias                       bool = true
        INI local_auth_max_threads                 int = 8
        INI ext_auth_max_threads                   int = 1
        RO  ext_auth_cache_enabled                 bool = true
        RO  ext_auth_cache_size                    int = 50
        RO  ext_auth_cache_expiry                  int = 300
        RO  telemetry_uuid                         secret ref = OpaqueRef:NULL
        RO  telemetry_frequency                    enum telemetry_frequency = weekly
        RO  telemetry_next_collection              datetime = 19700101T00:00:00Z
        RO  last_update_sync                       datetime = 19700101T00:00:00Z
        RO  update_sync_frequency                  enum update_sync_frequency = weekly
        RO  update_sync_day                        int = 0
        RO  update_sync_enabled                    bool = false
        RO  recommendations                        (string -> string) map = {}
        RW  license_server                         (string -> string) map = {}
        RW  ha_reboot_vm_on_internal_shutdown      bool = true
        RW  limit_console_sessions                 bool = false
        RW  vm_console_idle_timeout                int = 0
        RW  auto_update_vm_secureboot_certificates bool = false
    """,
    messages="""
        add_repository(self: pool ref, value: Repository ref)
        add_to_guest_agent_config(self: pool ref, key: string, value: string)
        apply_edition(self: pool ref, edition: string)
        certificate_install(name: string, cert: string)
        certificate_list() -> string set
        certificate_sync()
        certificate_uninstall(name: string)
        check_update_readiness(self: pool ref, requires_reboot: bool) -> string set set
        configure_repository_proxy(self: pool ref, url: string, username: string, password: string)
        configure_update_sync(self: pool ref, update_sync_frequency: enum update_sync_frequency, \
            update_sync_day: int)
        create_VLAN(device: string, network: network ref, VLAN: int) -> PIF ref set
        create_VLAN_from_PIF(pif: PIF ref, network: network ref, VLAN: int) -> PIF ref set
        create_new_blob(pool: pool ref, name: string, mime_type: string, public?: bool) -> blob ref
        crl_install(name: string, cert: string)
        crl_list() -> string set
        crl_uninstall(name: string)
        deconfigure_wlb()
        designate_new_master(host: host ref)
        detect_nonhomogeneous_external_auth(pool: pool ref)
        disable_client_certificate_auth(self: pool ref)
        disable_external_auth(pool: pool ref, config?: (string -> string) map)
        disable_ha()
        disable_local_storage_caching(self: pool ref)
        disable_redo_log()
        disable_repository_proxy(self: pool ref)
        disable_ssh(self: pool ref)
        disable_ssl_legacy(self: pool ref)
        eject(host: host ref)
        emergency_reset_master(master_address: string)
        emergency_transition_to_master()
        enable_client_certificate_auth(self: pool ref, name: string)
        enable_external_auth(pool: pool ref, config: (string -> string) map, service_name: string, auth_type: \
            string)
        enable_ha(heartbeat_srs: SR ref set, configuration: (string -> string) map)
        enable_local_storage_caching(self: pool ref)
        enable_redo_log(sr: SR ref)
        enable_ssh(self: pool ref)
        removed enable_ssl_legacy(self: pool ref)
        enable_tls_verification()
        external_auth_set_ldaps(pool: pool ref, ldaps: bool, force?: bool)
        get_guest_secureboot_readiness(self: pool ref) -> enum pool_guest_secureboot_readiness
        get_license_state(self: pool ref) -> (string -> string) map
        ha_compute_hypothetical_max_host_failures_to_tolerate(configuration: (VM ref -> string) map) -> int
        ha_compute_max_host_failures_to_tolerate() -> int
        ha_compute_vm_failover_plan(failed_hosts: host ref set, failed_vms: VM ref set) -> (VM ref -> (string \
            -> string) map) map
        ha_failover_plan_exists(n: int) -> bool
        ha_prevent_restarts_for(seconds: int)
        has_extension(self: pool ref, name: string) -> bool
        initialize_wlb(wlb_url: string, wlb_username: string, wlb_password: string, xenserver_username: \
            string, xenserver_password: string)
        install_ca_certificate(name: string, cert: string)
        install_trusted_certificate(self: pool ref, ca: bool, cert: string, purpose: enum certificate_purpose \
            set)
        join(master_address: string, master_username: string, master_password: string)
        join_force(master_address: string, master_username: string, master_password: string)
        management_reconfigure(network: network ref)
        recover_slaves() -> host ref set
        remove_from_guest_agent_config(self: pool ref, key: string)
        remove_repository(self: pool ref, value: Repository ref)
        reset_telemetry_uuid(self: pool ref)
        retrieve_wlb_configuration() -> (string -> string) map
        retrieve_wlb_recommendations() -> (VM ref -> string set) map
        rotate_secret()
        send_test_post(host: string, port: int, body: string) -> string
        send_wlb_configuration(config: (string -> string) map)
        set_console_idle_timeout(self: pool ref, value: int)
        set_custom_uefi_certificates(self: pool ref, value: string)
        set_ext_auth_cache_enabled(self: pool ref, value: bool)
        set_ext_auth_cache_expiry(self: pool ref, value: int)
        set_ext_auth_cache_size(self: pool ref, value: int)
        set_ext_auth_max_threads(self: pool ref, value: int)
        set_ha_host_failures_to_tolerate(self: pool ref, value: int)
        set_https_only(self: pool ref, value: bool)
        set_igmp_snooping_enabled(self: pool ref, value: bool)
        set_local_auth_max_threads(self: pool ref, value: int)
        set_repositories(self: pool ref, value: Repository ref set)
        set_ssh_auto_mode(self: pool ref, value: bool)
        set_ssh_enabled_timeout(self: pool ref, value: int)
        set_telemetry_next_collection(self: pool ref, value: datetime)
        set_uefi_certificates(self: pool ref, value: string)
        set_update_sync_enabled(self: pool ref, value: bool)
        set_vswitch_controller(address: string)
        sync_database()
        sync_trusted_certificates_from(self: pool ref, remote_pool: string, remote_session: session ref, \
            remote_certificate: string, ca: bool) -> Certificate ref set
        sync_updates(self: pool ref, force: bool, token?: string, token_id?: string, username?: string, \
            password?: string) -> string
        test_archive_target(self: pool ref, config: (string -> string) map) -> string
        uninstall_ca_certificate(name: string, force?: bool)
        uninstall_trusted_certificate(self: pool ref, certificate: Certificate ref)
    """,
    named=False,
)
