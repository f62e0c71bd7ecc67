"""What no description can say of a request: which texts are prompts."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes the files of an upload that is in order Markdown in UTF-8.

    A schema says of a file only that it is bytes. Others are refused with 400, which the service's own tests show.
    """
    if case.operation.label != "POST /jobs/upload" or not (case.meta and case.meta.generation.mode.is_positive):
        return
    if isinstance(case.body, dict) and isinstance(case.body.get("files"), list):
        case.body["files"] = [f"# Do it\n{file!r}\n" for file in case.body["files"]]


@schemathesis.hook
def filter_body(context, body):
    """Leaves out prompts with front matter: whether that is in order depends on all of it."""
    text = body.get("markdown_text") if isinstance(body, dict) else None
    return not (isinstance(text, str) and text.lstrip("\ufeff").startswith("---"))
