"""JSON documents and other files in the application's bucket."""

import json
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import S3Client
from optimizer.core import OptimizerError, canonical_json


class NoSuchDocument(OptimizerError, LookupError):
    """The bucket has no object with this key."""


class MalformedDocument(OptimizerError, ValueError):
    """The object is not JSON; the message gives line and column."""


class Documents:
    """A bucket as a store of documents. A document may be written again."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def read(self, key: str) -> Any:
        """Return the JSON document with this key. Raise NoSuchDocument or MalformedDocument."""
        try:
            return json.loads(self.read_bytes(key))
        except json.JSONDecodeError as error:
            raise MalformedDocument(
                f"s3://{self.bucket}/{key} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
            ) from error

    def read_bytes(self, key: str) -> bytes:
        """Return the content of the object with this key. Raise NoSuchDocument if there is none."""
        try:
            return self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise NoSuchDocument(f"s3://{self.bucket}/{key} does not exist") from error
            raise

    def write(self, key: str, document: object) -> str:
        """Store a JSON document and return its key."""
        return self.write_bytes(key, canonical_json.dumps(document).encode(), "application/json")

    def write_bytes(self, key: str, content: bytes, content_type: str) -> str:
        """Store any content and return its key."""
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=content_type)
        return key

    def keys(self, prefix: str) -> list[str]:
        """Return all keys that start with the prefix, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))
