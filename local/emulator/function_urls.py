"""Give functions URLs at which the emulator answers, so that links in messages can be opened.

MiniStack 1.5.33 returns addresses of AWS.
"""

import json
import os
from typing import Any

from ministack.services import lambda_svc

_PATH = "/_aws/lambda-url/"


def patch() -> None:
    """Replace how the emulator names function URLs and finds them by name."""
    create, id_of = lambda_svc._create_function_url_config, lambda_svc._function_url_id
    base = f"http://{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}{_PATH}"

    def create_config(func_name: str, data: dict[str, Any], qualifier: str | None) -> Any:
        status, headers, body = create(func_name, data, qualifier)
        if status >= 400:
            return status, headers, body
        config = lambda_svc._function_urls[lambda_svc._url_config_key(func_name, qualifier)]
        config["FunctionUrl"] = f"{base}{id_of(config['FunctionUrl'])}/"
        return status, headers, json.dumps(config).encode()

    def function_url_id(url: str) -> str:
        return url.partition(_PATH)[2].rstrip("/") if _PATH in url else id_of(url)

    lambda_svc._create_function_url_config = create_config
    lambda_svc._function_url_id = function_url_id
