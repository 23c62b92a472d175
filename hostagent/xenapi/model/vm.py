"""Virtual machines."""

from hostagent.xenapi.model.table import declare

__all__ = ["VM"]

VM = declare(
    "VM",
    enums={
        "vm_power_state": "Halted Paused Running Suspended",
        "update_guidances": (
            "reboot_host reboot_host_on_livepatch_failure reboot_host_on_kernel_livepatch_failure "
            "reboot_host_on_xen_livepatch_failure restart_toolstack restart_device_model restart_vm"
        ),
        "vm_secureboot_certificates_state": "ok update_available update_on_boot",
        "on_softreboot_behavior": "soft_reboot destroy restart preserve",
        "on_normal_exit": "destroy restart",
        "on_crash_behaviour": "destroy coredump_and_destroy restart coredump_and_restart preserve rename_restart",
        "domain_type": "hvm pv pv_in_pvh pvh unspecified",
        "vm_uefi_mode": "setup user",
        "vm_secureboot_readiness": "not_supported disabled first_boot ready ready_no_dbx setup_mode certs_incomplete",
        "vm_operations": (
            "snapshot clone copy create_template revert checkpoint snapshot_with_quiesce provision start "
            "start_on pause unpause clean_shutdown clean_reboot hard_shutdown power_state_reset hard_reboot "
            "suspend csvm resume resume_on pool_migrate migrate_send get_boot_record send_sysrq send_trigger "
            "query_services shutdown call_plugin changing_memory_live awaiting_memory_live "
            "changing_dynamic_range changing_static_range changing_memory_limits changing_shadow_memory "
            "changing_shadow_memory_live changing_VCPUs changing_VCPUs_live changing_NVRAM "
            "assert_operation_valid data_source_op update_allowed_operations make_into_template import "
            "export metadata_export reverting destroy create_vtpm sysprep"
        ),
    },
    fields="""
        RO  uuid                          string
        RO  allowed_operations            enum vm_operations set = []
        RO  current_operations            (string -> enum vm_operations) map = {}
        RW  name_label                    string = ""
        RW  name_description              string = ""
        INI power_state                   enum vm_power_state = Halted
        RW  user_version                  int
        RW  is_a_template                 bool
        RO  is_default_template           bool = false
        INI suspend_VDI                   VDI ref = OpaqueRef:NULL
        RO  resident_on                   host ref
        RO  scheduled_to_be_resident_on   host ref = OpaqueRef:NULL
        RW  affinity                      host ref
        RO  memory_overhead               int = 0
        INI memory_target                 int = 0
        INI memory_static_max             int
        INI memory_dynamic_max            int
        INI memory_dynamic_min            int
        INI memory_static_min             int
        RW  VCPUs_params                  (string -> string) map
        INI VCPUs_max                     int
        INI VCPUs_at_startup              int
        RW  actions_after_softreboot      enum on_softreboot_behavior = soft_reboot
        RW  actions_after_shutdown        enum on_normal_exit
        RW  actions_after_reboot          enum on_normal_exit
        INI actions_after_crash           enum on_crash_behaviour
        RO  consoles                      console ref set
        RO  VIFs                          VIF ref set
        RO  VBDs                          VBD ref set
        RO  VUSBs                         VUSB ref set
        RO  crash_dumps                   crashdump ref set
        RO  VTPMs                         VTPM ref set
        RW  PV_bootloader                 string
        RW  PV_kernel                     string
        RW  PV_ramdisk                    string
        RW  PV_args                       string
        RW  PV_bootloader_args            string
        RW  PV_legacy_args                string
        INI HVM_boot_policy               string
        RW  HVM_boot_params               (string -> string) map
        INI HVM_shadow_multiplier         float = 1.0
        INI platform                      (string -> string) map
        RW  PCI_bus                       string
        INI other_config                  (string -> string) map
        RO  domid                         int
        RO  domarch                       string
        INI last_boot_CPU_flags           (string -> string) map = {}
        RO  is_control_domain             bool
        RO  metrics                       VM_metrics ref
        RO  guest_metrics                 VM_guest_metrics ref
        INI last_booted_record            string = ""
        RW  recommendations               string
        RW  xenstore_data                 (string -> string) map = {}
        INI ha_always_run                 bool = false
        INI ha_restart_priority           string = ""
        RO  is_a_snapshot                 bool = false
        RO  snapshot_of                   VM ref = OpaqueRef:NULL
        RO  snapshots                     VM ref set
        RO  snapshot_time                 datetime = 19700101T00:00:00Z
        RO  transportable_snapshot_id     string = ""
        RO  blobs                         (string -> blob ref) map = {}
        RW  tags                          string set = []
        INI blocked_operations            (enum vm_operations -> string) map = {}
        RO  snapshot_info                 (string -> string) map = {}
        RO  snapshot_metadata             string = ""
        RO  parent                        VM ref = OpaqueRef:NULL
        RO  children                      VM ref set
        RO  bios_strings                  (string -> string) map = {}
        INI protection_policy             VMPP ref = OpaqueRef:NULL
        INI is_snapshot_from_vmpp         bool = false
        INI snapshot_schedule             VMSS ref = OpaqueRef:NULL
        INI is_vmss_snapshot              bool = false
        INI appliance                     VM_appliance ref = OpaqueRef:NULL
        INI start_delay                   int = 0
        INI shutdown_delay                int = 0
        INI order                         int = 0
        RO  VGPUs                         VGPU ref set
        RO  attached_PCIs                 PCI ref set
        RW  suspend_SR                    SR ref = OpaqueRef:NULL
        INI version                       int = 0
        INI generation_id                 string = "0:0"
        RW  hardware_platform_version     int = 0
        INI has_vendor_device             bool = true
        RO  requires_reboot               bool = false
        INI reference_label               string = ""
        INI domain_type                   enum domain_type = unspecified
        INI NVRAM                         (string -> string) map = {}
        RO  pending_guidances             enum update_guidances set = []
        RO  pending_guidances_recommended enum update_guidances set = []
        RO  pending_guidances_full        enum update_guidances set = []
        RO  groups                        VM_group ref set
        RO  secureboot_certificates_state enum vm_secureboot_certificates_state = ok
    """,
    messages="""
        add_to_NVRAM(self: VM ref, key: string, value: string)
        add_to_VCPUs_params_live(self: VM ref, key: string, value: string)
        add_to_blocked_operations(self: VM ref, key: enum vm_operations, value: string)
        add_to_other_config(self: VM ref, key: string, value: string)
        add_to_platform(self: VM ref, key: string, value: string)
        assert_agile(self: VM ref)
        assert_can_be_recovered(self: VM ref, session_to: session ref)
        assert_can_boot_here(self: VM ref, host: host ref)
        assert_can_migrate(vm: VM ref, dest: (string -> string) map, live: bool, vdi_map: (VDI ref -> SR ref) \
            map, vif_map: (VIF ref -> network ref) map, options: (string -> string) map, vgpu_map?: (VGPU ref \
            -> GPU_group ref) map)
        assert_operation_valid(self: VM ref, op: enum vm_operations)
        call_host_plugin(vm: VM ref, plugin: string, fn: string, args: (string -> string) map) -> string
        call_plugin(vm: VM ref, plugin: string, fn: string, args: (string -> string) map) -> string
        checkpoint(vm: VM ref, new_name: string) -> VM ref
        clean_reboot(vm: VM ref)
        clean_shutdown(vm: VM ref)
        clone(vm: VM ref, new_name: string) -> VM ref
        compute_memory_overhead(vm: VM ref) -> int
        copy(vm: VM ref, new_name: string, sr: SR ref) -> VM ref
        copy_bios_strings(vm: VM ref, host: host ref)
        create(args: VM record) -> VM ref
        create_new_blob(vm: VM ref, name: string, mime_type: string, public?: bool) -> blob ref
        destroy(self: VM ref)
        forget_data_source_archives(self: VM ref, data_source: string)
        get_SRs_required_for_recovery(self: VM ref, session_to: session ref) -> SR ref set
        get_allowed_VBD_devices(vm: VM ref) -> string set
        get_allowed_VIF_devices(vm: VM ref) -> string set
        get_boot_record(self: VM ref) -> VM record
        get_cooperative(self: VM ref) -> bool
        get_data_sources(self: VM ref) -> data_source record set
        get_possible_hosts(vm: VM ref) -> host ref set
        get_secureboot_readiness(self: VM ref) -> enum vm_secureboot_readiness
        hard_reboot(vm: VM ref)
        hard_shutdown(vm: VM ref)
        import(url: string, sr: SR ref, full_restore: bool, force: bool) -> VM ref set
        import_convert(type: string, username: string, password: string, sr: SR ref, remote_config: (string \
            -> string) map)
        maximise_memory(self: VM ref, total: int, approximate: bool) -> int
        migrate_send(vm: VM ref, dest: (string -> string) map, live: bool, vdi_map: (VDI ref -> SR ref) map, \
            vif_map: (VIF ref -> network ref) map, options: (string -> string) map, vgpu_map?: (VGPU ref -> \
            GPU_group ref) map, vdi_format_map?: (VDI ref -> string) map) -> VM ref
        pause(vm: VM ref)
        pool_migrate(vm: VM ref, host: host ref, options: (string -> string) map)
        power_state_reset(vm: VM ref)
        provision(vm: VM ref)
        query_data_source(self: VM ref, data_source: string) -> float
        query_services(self: VM ref) -> (string -> string) map
        record_data_source(self: VM ref, data_source: string)
        recover(self: VM ref, session_to: session ref, force: bool)
        remove_from_NVRAM(self: VM ref, key: string)
        remove_from_blocked_operations(self: VM ref, key: enum vm_operations)
        remove_from_other_config(self: VM ref, key: string)
        remove_from_platform(self: VM ref, key: string)
        restart_device_models(self: VM ref)
        resume(vm: VM ref, start_paused: bool, force: bool)
        resume_on(vm: VM ref, host: host ref, start_paused: bool, force: bool)
        retrieve_wlb_recommendations(vm: VM ref) -> (host ref -> string set) map
        revert(snapshot: VM ref)
        send_sysrq(vm: VM ref, key: string)
        send_trigger(vm: VM ref, trigger: string)
        set_HVM_boot_policy(self: VM ref, value: string)
        set_HVM_shadow_multiplier(self: VM ref, value: float)
        set_NVRAM(self: VM ref, value: (string -> string) map)
        set_VCPUs_at_startup(self: VM ref, value: int)
        set_VCPUs_max(self: VM ref, value: int)
        set_VCPUs_number_live(self: VM ref, nvcpu: int)
        set_actions_after_crash(self: VM ref, value: enum on_crash_behaviour)
        set_appliance(self: VM ref, value: VM_appliance ref)
        set_bios_strings(self: VM ref, value: (string -> string) map)
        set_blocked_operations(self: VM ref, value: (enum vm_operations -> string) map)
        set_domain_type(self: VM ref, value: enum domain_type)
        set_groups(self: VM ref, value: VM_group ref set)
        set_ha_always_run(self: VM ref, value: bool)
        set_ha_restart_priority(self: VM ref, value: string)
        set_has_vendor_device(self: VM ref, value: bool)
        set_memory(self: VM ref, value: int)
        set_memory_dynamic_max(self: VM ref, value: int)
        set_memory_dynamic_min(self: VM ref, value: int)
        set_memory_dynamic_range(self: VM ref, min: int, max: int)
        set_memory_limits(self: VM ref, static_min: int, static_max: int, dynamic_min: int, dynamic_max: int)
        set_memory_static_max(self: VM ref, value: int)
        set_memory_static_min(self: VM ref, value: int)
        set_memory_static_range(self: VM ref, min: int, max: int)
        set_memory_target_live(self: VM ref, target: int)
        set_order(self: VM ref, value: int)
        set_other_config(self: VM ref, value: (string -> string) map)
        set_platform(self: VM ref, value: (string -> string) map)
        removed set_protection_policy(self: VM ref, value: VMPP ref)
        set_shadow_multiplier_live(self: VM ref, multiplier: float)
        set_shutdown_delay(self: VM ref, value: int)
        set_snapshot_schedule(self: VM ref, value: VMSS ref)
        set_start_delay(self: VM ref, value: int)
        set_suspend_VDI(self: VM ref, value: VDI ref)
        set_uefi_mode(self: VM ref, mode: enum vm_uefi_mode) -> string
        shutdown(vm: VM ref)
        snapshot(vm: VM ref, new_name: string, ignore_vdis?: VDI ref set) -> VM ref
        removed snapshot_with_quiesce(vm: VM ref, new_name: string) -> VM ref
        start(vm: VM ref, start_paused: bool, force: bool)
        start_on(vm: VM ref, host: host ref, start_paused: bool, force: bool)
        suspend(vm: VM ref)
        sysprep(self: VM ref, unattend: string, timeout: float)
        unpause(vm: VM ref)
        update_allowed_operations(self: VM ref)
        update_secureboot_certificates_on_boot(self: VM ref, mark: bool)
        wait_memory_target_live(self: VM ref)
    """,
)
