"""Who may do what: sessions, roles, subjects, users."""

from hostagent.xenapi.model.table import declare

__all__ = ["ROLE", "SESSION", "SUBJECT", "USER"]

SESSION = declare(
    "session",
    fields="""
        RO  uuid               string
        RO  this_host          host ref
        RO  this_user          user ref
        RO  last_active        datetime
        RO  pool               bool
        RW  other_config       (string -> string) map = {}
        RO  is_local_superuser bool = false
        RO  subject            subject ref = OpaqueRef:NULL
        RO  validation_time    datetime = 19700101T00:00:00Z
        RO  auth_user_sid      string = ""
        RO  auth_user_name     string = ""
        INI rbac_permissions   string set = []
        RO  tasks              task ref set
        INI parent             session ref = OpaqueRef:NULL
        RO  originator         string = ""
        RO  client_certificate bool = false
    """,
    messages="""
        quiet change_password(old_pwd: string, new_pwd: string)
        quiet create_from_db_file(filename: string) -> session ref
        quiet get_all_subject_identifiers() -> string set
        quiet local_logout()
        open quiet login_with_password(uname: string, pwd: string, version?: string, originator?: string) -> \
            session ref
        quiet logout()
        quiet logout_subject_identifier(subject_identifier: string)
        open quiet slave_local_login_with_password(uname: string, pwd: string) -> session ref
    """,
    volatile=True,
    events=False,
    listed=False,
)

ROLE = declare(
    "role",
    fields="""
        RO  uuid             string
        INI name_label       string = ""
        INI name_description string = ""
        INI subroles         role ref set = []
        RO  is_internal      bool = false
    """,
    messages="""
        get_by_permission(permission: role ref) -> role ref set
        get_by_permission_name_label(label: string) -> role ref set
        get_permissions(self: role ref) -> role ref set
        get_permissions_name_label(self: role ref) -> string set
    """,
)

SUBJECT = declare(
    "subject",
    fields="""
        RO  uuid               string
        INI subject_identifier string = ""
        INI other_config       (string -> string) map = {}
        RO  roles              role ref set = ["OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba"]
    """,
    messages="""
        add_to_roles(self: subject ref, role: role ref)
        create(args: subject record) -> subject ref
        destroy(self: subject ref)
        get_permissions_name_label(self: subject ref) -> string set
        remove_from_roles(self: subject ref, role: role ref)
    """,
)

USER = declare(
    "user",
    fields="""
        RO  uuid         string
        INI short_name   string
        RW  fullname     string
        RW  other_config (string -> string) map = {}
    """,
    messages="""
        create(args: user record) -> user ref
        destroy(self: user ref)
    """,
    events=False,
    listed=False,
)
