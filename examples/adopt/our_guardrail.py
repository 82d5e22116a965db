"""Refuses a word, without asking a service."""

from litellm.integrations.custom_guardrail import CustomGuardrail


class OurGuardrail(CustomGuardrail):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        for message in data.get("messages") or []:
            content = message.get("content")
            if isinstance(content, str) and "forbidden-word" in content:
                raise ValueError("this word is not allowed")
        return data

    async def async_post_call_success_hook(self, data, user_api_key_dict, response):
        return response
