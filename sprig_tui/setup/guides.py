"""Guides of the set-up: what each action is called, its command line, and the clicks in Segment and Sprig.

`{environment}` stands for the environment's name, `{title}` for the same with a capital, `{delivery}` for a number.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from sprig_tui.setup.model import ActionKind


class Guide(Struct, frozen=True):
    """Words about one action."""

    sentence: str
    """Such as `paste the Write Key`; an imperative."""
    command: str = ""
    """What does the same in a shell; empty where nothing does."""
    steps: tuple[str, ...] = ()
    """Clicks elsewhere, in the words of the other program, a line each."""


_SEGMENT_SOURCE_STEPS = (
    "In Segment: Connections > Sources > Add source,",
    "choose HTTP API, then Next,",
    "name it such as Sprig ({title}), then Add source,",
    "open it: Settings > API Keys,",
    "copy the Write Key.",
)
_ASKED_AT_A_TERMINAL = "sprig-tui setup -e {environment}"
"""Of what no command of its own does: it asks for it, at a terminal."""
GUIDES: Mapping[ActionKind, Guide] = {
    ActionKind.STORE_TOKEN: Guide(
        "store a token of Segment's Public API",
        "sprig-tui keys workspace",
        (
            "In Segment: Settings > Workspace settings > Access Management > Tokens,",
            "Create Token, a Public API token; Workspace Owner sees everything.",
            "Without a token everything works by pasting; what Segment counted is then not known here.",
        ),
    ),
    ActionKind.REPLACE_TOKEN: Guide(
        "store another token, one that may do this",
        "sprig-tui keys workspace",
        (
            "Only a Workspace Owner makes tokens. In Segment: Settings >",
            "Workspace settings > Access Management > Tokens > Create Token.",
            "As Workspace Owner it sees everything; as Source Admin sources and keys.",
            "Without such a token the key is pasted.",
        ),
    ),
    ActionKind.CHOOSE_SOURCE: Guide("choose one of the workspace's sources", "sprig-tui keys set {environment}"),
    ActionKind.CREATE_SOURCE: Guide("make a source in Segment; what is made is shown first", _ASKED_AT_A_TERMINAL),
    ActionKind.PASTE_KEY: Guide("paste the Write Key", "sprig-tui keys set {environment}", _SEGMENT_SOURCE_STEPS),
    ActionKind.REPLACE_KEY: Guide("replace the Write Key", "sprig-tui keys rotate {environment}"),
    ActionKind.READ_SECRET: Guide(
        "let the place that the config names give it",
        "sprig-tui doctor",
        (
            "The config names a variable, a command or an entry of the keyring for it; see that this gives it:",
            "set the variable, run the command by hand, or unlock the keyring.",
            "A command or the keyring is asked again within minutes; a variable is read when the program starts.",
        ),
    ),
    ActionKind.SET_OAUTH: Guide(
        "give the environment the OAuth app that the source requires",
        "sprig-tui keys oauth {environment} --client-id ID --key-id ID --private-key FILE",
        (
            "In Segment: Settings > Workspace settings > Access Management > OAuth applications,",
            "make one with the scope tracking_api:write, add a public key of yours to it, and connect the source.",
            "Then store its App ID, its Key ID and the file of the private key; they are tried before that.",
        ),
    ),
    ActionKind.MAKE_WEBHOOK_TOKEN: Guide(
        "make a webhook token; address and token are shown to copy",
        "sprig-tui keys token {environment} --generate",
        (
            "In Sprig: Integrations > Webhooks, in the environment that this one is for:",
            "the address, the token as API secret, the event Answer submitted,",
            "then Test Webhook, and Save.",
        ),
    ),
    ActionKind.START_LISTENING: Guide(
        "run sprig-tui listen in another terminal",
        "sprig-tui listen",
        (
            "It stores what comes in the journal and sends it; this screen shows the first one as it comes.",
            "Sprig reaches it through a proxy or a tunnel of yours that ends at its port.",
        ),
    ),
    ActionKind.TEST_WEBHOOK: Guide(
        "press Test Webhook in Sprig",
        "",
        (
            "In Sprig: Integrations > Webhooks, in the environment that this one is for:",
            "the address https://YOUR.HOST/webhooks/{environment}, your token as API secret,",
            "the event Answer submitted, then Test Webhook, and Save.",
            "YOUR.HOST is your proxy or tunnel, which leads to the port of listen.",
        ),
    ),
    ActionKind.STORE_SPRIG_KEY: Guide("store a key of Sprig's API", "sprig-tui keys sprig {environment}"),
    ActionKind.PULL: Guide("pull answers from Sprig's API", "sprig-tui pull -e {environment}"),
    ActionKind.SAVE_ENVIRONMENT_ID: Guide("save the environment id that the webhook carried", _ASKED_AT_A_TERMINAL),
    ActionKind.OPEN_RECORDS: Guide("open a file of answers and look at them", "sprig-tui preview FILE"),
    ActionKind.IDENTIFY_USERS: Guide(
        "let Sprig know who answers",
        "",
        (
            "Segment needs a User ID, and Sprig has one only where your product says it before the survey is shown:",
            "call setUserId of Sprig's SDK as soon as somebody signs in, with the id that Segment knows them by,",
            "and show surveys to visitors who are signed in only.",
            "Answers that came without one stay withheld: nobody knows whose they are.",
        ),
    ),
    ActionKind.SEND_TEST_EVENT: Guide("send a test event", "sprig-tui keys check {environment} --send-test-event"),
    ActionKind.SEND_ANSWER: Guide("send a first answer", "sprig-tui send FILE -e {environment}"),
    ActionKind.EXPLAIN: Guide("explain where an answer is, and why", "sprig-tui explain {delivery}"),
    ActionKind.COMPARE: Guide("compare with Segment's counts", "sprig-tui reconcile -e {environment}"),
    ActionKind.CONNECT_DESTINATION: Guide(
        "connect a destination in Segment",
        "",
        (
            "In Segment: Connections > Sources > the source > Add destination,",
            "choose one, follow its steps, and enable it.",
            "A destination of the kind Actions needs a mapping for track calls, too.",
        ),
    ),
    ActionKind.PROTECT: Guide("protect the environment", _ASKED_AT_A_TERMINAL),
    ActionKind.SET_RETENTION: Guide(
        "say in the config how long deliveries are kept",
        "sprig-tui journal info",
        (
            "In the config:",
            "[journal]",
            'keep = "90d"              # a delivery goes 90 days after it ended',
            'keep_content = "14d"      # its record and its answer go earlier',
            "What Segment took stays known without its content: it is never sent twice.",
        ),
    ),
    ActionKind.BACK_UP: Guide(
        "back up the journal, by a timer",
        "sprig-tui journal backup FILE",
        ("It copies the journal while it is used; once a week is enough for most.",),
    ),
    ActionKind.PRINT_UNIT: Guide(
        "install listen as a service",
        "sprig-tui listen --print-unit",
        ("It prints a systemd unit. Once that runs, it is seen here.",),
    ),
    ActionKind.WATCH_METRICS: Guide(
        "let a monitor read /metrics",
        "sprig-tui run --metrics 9100",
        (
            "listen has /metrics at its own address, run at the port of --metrics, in Prometheus' format.",
            "Alert on failed deliveries, on the age of the queue, and on an environment that is paused.",
        ),
    ),
    ActionKind.ACCEPT: Guide(
        "accept it as it is: done elsewhere, seen by you, or not wanted",
        "sprig-tui setup -e {environment} --accept ITEM",
        ("It is kept in the config, as setup_accepted of the environment, and can be taken back.",),
    ),
    ActionKind.REOPEN: Guide("take back that it was accepted", "sprig-tui setup -e {environment} --reopen ITEM"),
}


def action_text(action: ActionKind) -> str:
    """The sentence of an action."""
    return GUIDES[action].sentence


def command_line(action: ActionKind, environment: str, delivery: int = 0) -> str:
    """The command line of an action; empty for none."""
    if action is ActionKind.EXPLAIN and not delivery:
        return ""
    return GUIDES[action].command.format(environment=environment, delivery=delivery)


def guide_lines(action: ActionKind, environment: str) -> tuple[str, ...]:
    """The clicks elsewhere."""
    title = environment.replace("-", " ").capitalize()
    return tuple(line.format(environment=environment, title=title) for line in GUIDES[action].steps)
