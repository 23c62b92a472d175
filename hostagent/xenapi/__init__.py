"""The XenAPI: wire protocols, declared data model, dispatch, sessions, tasks, events."""
