"""What goes on: tasks and events."""

from hostagent.xenapi.model.table import declare

__all__ = ["EVENT", "TASK"]

TASK = declare(
    "task",
    enums={
        "task_allowed_operations": "cancel destroy",
        "task_status_type": "pending success failure cancelling cancelled",
    },
    fields="""
        RO  uuid               string
        RO  name_label         string = ""
        RO  name_description   string = ""
        RO  allowed_operations enum task_allowed_operations set = []
        RO  current_operations (string -> enum task_allowed_operations) map = {}
        RO  created            datetime
        RO  finished           datetime
        RO  status             enum task_status_type
        RO  resident_on        host ref
        RO  progress           float
        RO  type               string
        RO  result             string
        RO  error_info         string set
        RO  other_config       (string -> string) map = {}
        RO  subtask_of         task ref = OpaqueRef:NULL
        RO  subtasks           task ref set
        RO  backtrace          string = "()"
    """,
    messages="""
        quiet add_to_other_config(self: task ref, key: string, value: string)
        quiet cancel(task: task ref)
        quiet create(label: string, description: string) -> task ref
        quiet destroy(self: task ref)
        quiet remove_from_other_config(self: task ref, key: string)
        quiet set_error_info(self: task ref, value: string set)
        quiet set_other_config(self: task ref, value: (string -> string) map)
        quiet set_progress(self: task ref, value: float)
        quiet set_result(self: task ref, value: string)
        quiet set_status(self: task ref, value: enum task_status_type)
    """,
    volatile=True,
)

EVENT = declare(
    "event",
    enums={
        "event_operation": "add del mod",
    },
    fields="""
        RO  snapshot  VM record
        INI id        int
        INI timestamp datetime
        INI class     string
        INI operation enum event_operation
        INI ref       string
        INI obj_uuid  string
    """,
    messages="""
        quiet from(classes: string set, token: string, timeout: float) -> event record set
        quiet get_current_id() -> int
        quiet inject(class: string, ref: string) -> string
        quiet next() -> event record set
        quiet register(classes: string set)
        quiet unregister(classes: string set)
    """,
    volatile=True,
    events=False,
    listed=False,
)
