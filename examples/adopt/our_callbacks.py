"""Counts the calls, without sending anything."""

from litellm.integrations.custom_logger import CustomLogger


class Handler(CustomLogger):
    calls = 0

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.calls += 1

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self.calls += 1


handler = Handler()
