"""Starts MiniStack 1.5.33 with what Buzon's guard needs and it lacks.

MiniStack compares policy variables as plain text, so that ${aws:username} in
the guard would refuse every upload, and it doesn't set the condition keys by
which a bucket becomes append-only, refuses signed URLs and tells a key from a
session that was made from it. All are supplied here. This proves the
documents and their wiring; that AWS itself substitutes variables so is taken
from the IAM User Guide ("IAM policy elements: Variables and tags").

MiniStack also has no S3 Access Grants, and calls the question for them a
malformed one; the auditor has to ask it. Here the answer is the true one: the
account has none.

In the conditions of a template it takes Fn::Join as text, so that the CDK's
bootstrap stack trusted an account without a name; here it is joined. It makes
no IAM groups, trails and profiles of Roles Anywhere from templates, and takes
no bucket's policy that exists into a stack; here it does, as far as the stack
needs it.

It has no Roles Anywhere: the tests' own (scripts/aws/rolesanywhere) assumes a
role as the account's root, which MiniStack takes for any service, and here the
role's trust policy is asked as Roles Anywhere would have it asked.

It also keeps the server off port 443, which it would take beside its own, and
gives a multipart upload with CRC-64/NVME the checksum of the whole object, as
S3 does ("Checking object integrity for data uploads": FULL_OBJECT only);
MiniStack makes one of the parts' checksums and refuses the right one. And it
keeps a connection for as many requests as come: after a thousand its server
closes one of HTTP/2 under what is in flight.
"""

import contextvars
import dataclasses
import datetime
import json
import re
import struct
import sys
import uuid

from hypercorn.config import Config
from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import cloudtrail, iam, s3
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

VARIABLE = re.compile(r"\$\{([^}]*)\}")
LITERALS = {"*": "[*]", "?": "[?]", "$": "$"}


def substitute(node, ctx):
    """A part of a statement with the variables in its texts filled in."""
    if isinstance(node, dict):
        return {key: substitute(value, ctx) for key, value in node.items()}
    if isinstance(node, list):
        return [substitute(value, ctx) for value in node]
    if not isinstance(node, str):
        return node

    def one(match):
        text = match.group(1)
        if text in LITERALS:
            return LITERALS[text]
        name, _, default = text.partition(",")
        value = iam_evaluator._resolve_condition_key(name.strip(), ctx)
        if value is not None:
            return str(value)
        # Without value or default the text stays, and matches no real key.
        return default.strip().strip("'") if default else match.group(0)

    return VARIABLE.sub(one, node)


def with_variables(first_match):
    def wrapped(ctx, statements, effect):
        return first_match(ctx, [
            dataclasses.replace(
                s,
                resources=substitute(s.resources, ctx),
                not_resources=substitute(s.not_resources, ctx),
                conditions=substitute(s.conditions, ctx),
            ) for s in statements
        ], effect)
    return wrapped


def with_s3_keys(s3_service_context):
    def wrapped(action, query_params, path="", headers=None):
        ctx = dict(s3_service_context(action, query_params, path, headers))
        query = query_params or {}
        ctx["s3:authType"] = "REST-QUERY-STRING" if "X-Amz-Signature" in query else "REST-HEADER"
        if action == "s3:PutObject":
            header = {name.lower(): value for name, value in (headers or {}).items()}
            if "if-none-match" in header:
                ctx["s3:if-none-match"] = header["if-none-match"]
            creates = "uploads" not in query and "partNumber" not in query
            ctx["s3:ObjectCreationOperation"] = "true" if creates else "false"
        return ctx
    return wrapped


STARTED = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_issue_time(principal_keys):
    """Every request of a session has the time at which it was issued, those of GetSessionToken too."""
    def wrapped(credential):
        keys = principal_keys(credential)
        if credential.session_token:
            keys.setdefault("aws:tokenissuetime", STARTED)
        return keys
    return wrapped


NO_GRANTS = (b'<?xml version="1.0" encoding="UTF-8"?>'
             b"<ListAccessGrantsInstancesResult><AccessGrantsInstancesList/></ListAccessGrantsInstancesResult>")


NO_BLOCK = (b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchPublicAccessBlockConfiguration</Code>'
            b"<Message>The public access block configuration was not found</Message></Error>")


def with_access_grants(handle_s3_control):
    async def wrapped(path, method, body, query_params, request_id, headers=None):
        if method == "GET" and path == "/v20180820/configuration/publicAccessBlock":
            # The account's own: the local AWS has none to set, and takes the question for a malformed one.
            headers = headers or {}
            denied = app._enforce_data_plane(
                "s3", "s3:GetAccountPublicAccessBlock", headers, query_params, request_id, resource_arn="*")
            return denied or (404, {"Content-Type": "application/xml", "x-amzn-requestid": request_id}, NO_BLOCK)
        if method != "GET" or path != "/v20180820/accessgrantsinstances":
            return await handle_s3_control(path, method, body, query_params, request_id, headers)
        headers = headers or {}
        denied = app._enforce_data_plane(
            "s3", "s3:ListAccessGrantsInstances", headers, query_params, request_id, resource_arn="*")
        denied = denied or app._get_module("s3").s3control_account_error(headers)
        return denied or (200, {"Content-Type": "application/xml", "x-amzn-requestid": request_id}, NO_GRANTS)
    return wrapped


def sliced(table, init):
    """CRC-64/NVME eight bytes at a time, for MiniStack takes them one by one: seconds for each part."""
    tables = [table]
    for _ in range(7):
        tables.append([table[v & 255] ^ (v >> 8) for v in tables[-1]])
    t0, t1, t2, t3, t4, t5, t6, t7 = tables

    def crc64nvme(body):
        crc, whole = init, len(body) // 8 * 8
        for (word,) in struct.iter_unpack("<Q", memoryview(body)[:whole]):
            crc ^= word
            crc = (t7[crc & 255] ^ t6[crc >> 8 & 255] ^ t5[crc >> 16 & 255] ^ t4[crc >> 24 & 255]
                   ^ t3[crc >> 32 & 255] ^ t2[crc >> 40 & 255] ^ t1[crc >> 48 & 255] ^ t0[crc >> 56])
        for byte in body[whole:]:
            crc = t0[(crc ^ byte) & 255] ^ (crc >> 8)
        return crc ^ init
    return crc64nvme


WHOLE = contextvars.ContextVar("whole", default=None)


def with_whole_checksum(complete):
    def wrapped(bucket, key, body, query_params, headers=None):
        upload = s3._multipart_uploads.get(s3._qp(query_params, "uploadId"))
        if upload is None or upload.get("checksum_algorithm") != "CRC64NVME":
            return complete(bucket, key, body, query_params, headers)
        parts = upload["parts"]
        whole = s3._compute_s3_checksum("CRC64NVME", b"".join(parts[n]["body"] for n in sorted(parts)))
        token = WHOLE.set(whole)
        try:
            status, answer, text = complete(bucket, key, body, query_params, headers)
        finally:
            WHOLE.reset(token)
        if status == 200:
            s3._ensure_bucket(bucket)["objects"][key]["checksum_type"] = "FULL_OBJECT"
            text = text.replace(b"COMPOSITE", b"FULL_OBJECT")
        return status, answer, text
    return wrapped


def or_whole(composite):
    def wrapped(algorithm, part_checksums):
        return WHOLE.get() or composite(algorithm, part_checksums)
    return wrapped


def with_joins(evaluate_conditions):
    def wrapped(template, params):
        def joined(node):
            if isinstance(node, list):
                return [joined(one) for one in node]
            if not isinstance(node, dict):
                return node
            if "Fn::Join" not in node:
                return {key: joined(value) for key, value in node.items()}
            delimiter, items = node["Fn::Join"]
            if isinstance(items, dict) and items.get("Ref") in params:
                items = str(params[items["Ref"]]["Value"]).split(",")
            return delimiter.join(items)

        return evaluate_conditions({**template, "Conditions": joined(template.get("Conditions") or {})}, params)
    return wrapped


def with_roles_anywhere(evaluate_trust_policy):
    """Who names a trust anchor as the external id is Roles Anywhere: it brings the certificate's names as tags."""
    def wrapped(trust_doc, caller_arn, ctx=None):
        anchor = str(ctx.service_context.get("sts:externalid") or "") if ctx else ""
        if ":rolesanywhere:" in anchor and caller_arn.endswith(":root"):
            document = json.loads(trust_doc) if isinstance(trust_doc, str) else trust_doc
            ours = [s for s in document.get("Statement", [])
                    if s.get("Principal") == {"Service": "rolesanywhere.amazonaws.com"}]
            trust_doc = {**document, "Statement": ours}
            names = {f"aws:principaltag/{name.lower()}": value for name, value in ctx.request_tags.items()}
            ctx = dataclasses.replace(
                ctx, principal_keys={**ctx.principal_keys, **names},
                service_context={**ctx.service_context, "aws:sourcearn": anchor})
        return evaluate_trust_policy(trust_doc, caller_arn, ctx)
    return wrapped


def answered(call, params):
    status, _, body = call(params)
    if status >= 400:
        raise ValueError(body.decode() if isinstance(body, bytes) else str(body))


def create_group(logical_id, props, stack_name):
    name = props.get("GroupName") or provisioners._physical_name(stack_name, logical_id, max_len=128)
    answered(iam._create_group, {"GroupName": name, "Path": props.get("Path") or "/"})
    for policy in props.get("Policies") or []:
        answered(iam._put_group_policy, {
            "GroupName": name, "PolicyName": policy["PolicyName"], "PolicyDocument": json.dumps(policy["PolicyDocument"])})
    return name, {"Arn": iam._groups[name]["Arn"]}


def delete_group(physical_id, props):
    answered(iam._delete_group, {"GroupName": physical_id})


def create_trail(logical_id, props, stack_name):
    name = provisioners._physical_name(stack_name, logical_id, max_len=128)
    answered(cloudtrail._create_trail, {**props, "Name": name})
    answered(cloudtrail._put_event_selectors, {"TrailName": name, "EventSelectors": props.get("EventSelectors") or []})
    if props.get("IsLogging"):
        answered(cloudtrail._start_logging, {"Name": name})
    return name, {"Arn": cloudtrail._trail_arn(name)}


def delete_trail(physical_id, props):
    answered(cloudtrail._delete_trail, {"Name": physical_id})


def create_profile(logical_id, props, stack_name):
    profile = str(uuid.uuid4())
    return profile, {"ProfileId": profile}


provisioners._RESOURCE_HANDLERS |= {
    "AWS::IAM::Group": {"create": create_group, "delete": delete_group},
    "AWS::CloudTrail::Trail": {"create": create_trail, "delete": delete_trail},
    "AWS::RolesAnywhere::Profile": {"create": create_profile, "delete": lambda physical_id, props: None},
}
provisioners._RESOURCE_HANDLERS["AWS::S3::BucketPolicy"]["import"] = lambda identifier: (
    identifier["Bucket"] + "-policy", {})

for module in (changesets, engine, handlers, provisioners, stacks):
    if hasattr(module, "_evaluate_conditions"):
        module._evaluate_conditions = with_joins(module._evaluate_conditions)
s3._crc64nvme = sliced(s3._CRC64NVME_TABLE, s3._CRC64NVME_INIT)
s3._composite_checksum = or_whole(s3._composite_checksum)
s3._complete_multipart_upload = with_whole_checksum(s3._complete_multipart_upload)
iam_evaluator._principal_keys = with_issue_time(iam_evaluator._principal_keys)
iam_evaluator.evaluate_trust_policy = with_roles_anywhere(iam_evaluator.evaluate_trust_policy)
iam_evaluator._first_match = with_variables(iam_evaluator._first_match)
iam_actions.s3_service_context = with_s3_keys(iam_actions.s3_service_context)
app._handle_s3_control_request = with_access_grants(app._handle_s3_control_request)
app._port_is_bindable = lambda host, port: False
Config.keep_alive_max_requests = sys.maxsize

sys.exit(app.main())
