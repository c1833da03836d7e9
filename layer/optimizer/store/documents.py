"""JSON documents and binary history in the application's bucket."""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from optimizer.core import OptimizerError, canonical_json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class NoSuchDocument(OptimizerError, LookupError):
    """There is nothing under this key."""


class MalformedDocument(OptimizerError, ValueError):
    """What lies under the key is not JSON; the message says where."""


class Documents:
    """A bucket seen as a store of documents. Writing the same document twice is harmless."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def read(self, key: str) -> Any:
        """The JSON document under the key."""
        try:
            return json.loads(self.read_bytes(key))
        except json.JSONDecodeError as error:
            raise MalformedDocument(
                f"s3://{self.bucket}/{key} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
            ) from error

    def read_bytes(self, key: str) -> bytes:
        """What lies under the key; NoSuchDocument if nothing does."""
        try:
            return self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise NoSuchDocument(f"s3://{self.bucket}/{key} does not exist") from error
            raise

    def write(self, key: str, document: object) -> str:
        """Store a JSON document; returns its key."""
        return self.write_bytes(key, canonical_json.dumps(document).encode(), "application/json")

    def write_bytes(self, key: str, content: bytes, content_type: str) -> str:
        """Store anything; returns its key."""
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=content_type)
        return key

    def keys(self, prefix: str) -> list[str]:
        """All keys that start with the prefix, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))
