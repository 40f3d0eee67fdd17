"""Commands of the Payload pane."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class OpenFile(Command):
    """Open a file or a folder of answers. Files dropped on the terminal and pasted answers are opened too."""

    id = "open-file"
    key = "o"
    label = "open"
    title = "Open a file or folder of answers"
    scope = "payload"
    needs = "machine"
    on_main_screen = True


class SendRecord(Command):
    """Send the record that is shown. It goes to the environment named below it, and is in the log afterwards.

    In the list of records: the marked ones after a question, or the one under the cursor.

    From another pane the key goes to the record first, and sends it when it is pressed again.
    """

    id = "send-record"
    key = "s"
    label = "send"
    title = "Send this record"
    scope = "payload"
    needs = "sending"
    acts_unasked = True
    on_main_screen = True


class SendFile(Command):
    """Send every record of the open file: counted first, then asked. What was sent before is not sent twice."""

    id = "send-file"
    key = "S"
    label = "send all"
    title = "Send all records of the file"
    scope = "payload"
    needs = "sending"
    on_main_screen = True


class NextRecord(Command):
    """Go to the next record of the file, or of those that the list shows while it is filtered."""

    id = "next-record"
    key = "n,right_square_bracket"
    label = "next"
    title = "Next record"
    scope = "payload"


class PreviousRecord(Command):
    """Go to the record before this one, of those that the list shows while it is filtered."""

    id = "previous-record"
    key = "p,left_square_bracket"
    label = "previous"
    title = "Previous record"
    scope = "payload"


class GoToRecord(Command):
    """Go to a record by its number in the file."""

    id = "go-to-record"
    key = "ctrl+g"
    label = "go to"
    title = "Go to a record by its number"
    scope = "payload"
    in_bar = False


class OnlyProblems(Command):
    """Move only between records that would be withheld or have a problem; again, between all."""

    id = "only-troubled"
    key = "exclamation_mark"
    label = "problems"
    title = "Only records with problems"
    scope = "payload"


class ListRecords(Command):
    """List the records of the open file, one line each, with what would become of it and why; again, close the list.

    On a wide screen the list stands beside the record.
    """

    id = "list-records"
    key = "f"
    label = "list"
    title = "List the records of the file"
    scope = "payload"


class BackToList(Command):
    """Go back from the record to the list, where it was left."""

    id = "back-to-list"
    key = "escape"
    label = "back to list"
    title = "Back to the list of records"
    scope = "payload"
    in_palette = False


class NextView(Command):
    """Show the record in the next way: fields, JSON, raw, curl."""

    id = "next-view"
    key = "v"
    label = "view"
    title = "Next view: fields, JSON, raw, curl"
    scope = "payload"


class PreviousView(Command):
    """Show the record in the way before this one."""

    id = "previous-view"
    key = "V"
    label = "view back"
    title = "Previous view"
    scope = "payload"
    in_bar = False


class ShowFields(Command):
    """Show the fields of the call: each value, where it came from, and its problems."""

    id = "show-fields"
    key = "alt+1"
    label = "fields"
    title = "Show the fields"
    scope = "payload"
    in_bar = False


class ShowJson(Command):
    """Show the call as the JSON that is sent."""

    id = "show-json"
    key = "alt+2"
    label = "JSON"
    title = "Show the JSON"
    scope = "payload"
    in_bar = False


class ShowRaw(Command):
    """Show the record as it was read."""

    id = "show-raw"
    key = "alt+3"
    label = "raw"
    title = "Show the record as it was read"
    scope = "payload"
    in_bar = False


class ShowCurl(Command):
    """Show a curl command that sends the same call; the key is left to $SEGMENT_WRITE_KEY."""

    id = "show-curl"
    key = "alt+4"
    label = "curl"
    title = "Show the curl command"
    scope = "payload"
    in_bar = False


class EditRecord(Command):
    """Edit the record in $VISUAL or $EDITOR and map it again. It is marked as edited, and kept so until it is sent.

    The file stays as it is; U undoes the edit.
    """

    id = "edit-record"
    key = "e"
    label = "edit"
    title = "Edit this record"
    scope = "payload"
    needs = "machine"


class EditField(Command):
    """Change the value of the field under the cursor in a line of text, and map the record again.

    The record is kept as edited, as e does it; e also edits what has several lines.
    """

    id = "edit-field"
    key = "F"
    label = "edit field"
    title = "Edit the field under the cursor"
    scope = "payload"
    in_bar = False


class UndoEdit(Command):
    """Show the record as it was before it was edited. An edit is kept, through any moving about, until it is sent."""

    id = "undo-edit"
    key = "U"
    label = "undo edit"
    title = "Undo the edit of this record"
    scope = "payload"
    in_bar = False


class MapAgain(Command):
    """For a delivery of the log: the call as it would be made now; again, as it was sent."""

    id = "map-again"
    key = "m"
    label = "map again"
    title = "Map the delivery again, by the rules of now"
    scope = "payload"
    in_bar = False


class Compare(Command):
    """For a delivery of the log: the fields in which its call would differ now, by an edit or by today's rules.

    s asks with the same list, and sends it as a delivery of its own that is linked to this one.
    """

    id = "compare"
    key = "equals_sign"
    label = "compare"
    title = "Compare the delivery with what would be sent now"
    scope = "payload"
    in_bar = False


class Explain(Command):
    """For a delivery of the log: why it is, or is not, where it should be, from here to each destination in Segment."""

    id = "explain"
    key = "E"
    label = "explain"
    title = "Explain where the delivery is"
    scope = "payload"


class CopyValue(Command):
    """Copy the value under the cursor; in Raw and curl, all of it."""

    id = "copy-value"
    key = "y"
    label = "copy"
    title = "Copy the value under the cursor"
    scope = "payload"


class CopyJson(Command):
    """Copy the call as JSON."""

    id = "copy-json"
    key = "Y"
    label = "copy JSON"
    title = "Copy the call as JSON"
    scope = "payload"
    in_bar = False


class CopyCurl(Command):
    """Copy the curl command that sends the same call."""

    id = "copy-curl"
    key = "C"
    label = "copy curl"
    title = "Copy the curl command"
    scope = "payload"
    in_bar = False


COMMANDS = (
    OpenFile,
    SendRecord,
    SendFile,
    NextRecord,
    PreviousRecord,
    GoToRecord,
    OnlyProblems,
    ListRecords,
    BackToList,
    NextView,
    PreviousView,
    ShowFields,
    ShowJson,
    ShowRaw,
    ShowCurl,
    EditRecord,
    EditField,
    UndoEdit,
    MapAgain,
    Compare,
    Explain,
    CopyValue,
    CopyJson,
    CopyCurl,
)
