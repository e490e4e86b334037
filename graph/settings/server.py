"""The groups of settings of web processes, MongoDB and logging."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr

from graph.settings.types import (
    NO_FLAG,
    SEVERAL_LINES,
    CheckedSettings,
    DatabaseName,
    HeaderNames,
    Host,
    MetricsAddress,
    Networks,
    Origins,
    Roles,
    RootPath,
    SessionPrefix,
    UserPath,
    WebAddress,
)


class ServerSettings(CheckedSettings):
    """The address, limits and processes of the web server."""

    host: Host = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
    web_processes: int = Field(
        1, ge=1, le=64, description="Number of web server processes that share the port; each uses one processor core."
    )
    enrichment_processes: int = Field(
        1, ge=0, le=64, description="Number of enrichment worker processes that serve starts."
    )
    header_limit: int = Field(
        65_536, ge=0, description="Maximum bytes of a request's line and headers (431 beyond it); 0 disables the limit."
    )
    header_timeout: float = Field(
        10.0, ge=0, le=3600, description="Time-out for a request's headers, in seconds; 0 disables it."
    )
    idle_timeout: float = Field(5.0, gt=0, le=3600, description="Time-out for idle connections, in seconds.")
    send_timeout: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="Time-out for a client that stops reading its response, in seconds; 0 disables it.",
    )
    drain: float = Field(
        0.0,
        ge=0,
        le=300,
        description="How long a server that was asked to end goes on with requests, in seconds, while /ready answers"
        " 503: load balancers send their next requests to others.",
    )
    max_connections: int = Field(
        5_000,
        ge=0,
        description="Maximum open connections of a web server process, WebSockets included (503 beyond it); 0 disables"
        " the limit.",
    )
    body_limit: int = Field(  # one message of the greatest size with the largest metadata, however it is escaped
        8_388_608,
        ge=0,
        description="Maximum bytes of a request's body, a line of JSON lines or a WebSocket message; 0 disables the"
        " limit.",
    )
    request_timeout: float = Field(
        30.0, ge=0, description="Time-out for a request's body, in seconds; 0 disables the limit."
    )
    root_path: RootPath | None = Field(
        None,
        description="Prefix of all paths behind a proxy, as /memory, which the proxy may take off or pass on.",
    )
    forwarded_allow_ips: Networks = Field(
        (),
        description="Addresses and networks of proxies whose X-Forwarded-Host is believed, with commas between:"
        " 10.0.0.0/8; * is any.",
    )
    compression: bool = Field(
        True,
        description="Whether answers over 1 KiB are compressed with zstd, brotli or gzip, and streams with gzip, for"
        " clients that accept it.",
    )
    explorer: bool = Field(True, description="Whether /graphql shows the explorer to browsers.")
    console: bool = Field(True, description="Whether /console serves the console.")
    get_queries: bool = Field(True, description="Whether queries are accepted over GET.")
    introspection: bool = Field(True, description="Whether introspection of the schema is allowed.")
    suggestions: bool = Field(True, description="Whether errors suggest names that are similar to an unknown name.")


class MongoDBSettings(CheckedSettings):
    """The database: every command that opens it has these."""

    mongodb_uri: SecretStr | None = Field(
        None,
        description="URI of the replica set or sharded cluster; without it,"
        " RecallQL runs its own mongod in the data directory.",
    )
    database: DatabaseName = Field("recallql", min_length=1, max_length=38, description="Name of the MongoDB database.")
    data_dir: UserPath = Field(
        default_factory=lambda: user_data_path("recallql"),
        description="Directory for the data and the log of RecallQL's own mongod.",
    )
    mongod_path: UserPath | None = Field(None, description="mongod program to run in place of the packaged one.")
    mongod_cache_mb: int = Field(256, ge=256, le=1_048_576, description="Cache size of RecallQL's own mongod, in MiB.")
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
    mongodb_driver: Literal["motor", "pymongo"] = Field(
        "motor", description="Driver of MongoDB: motor, or pymongo for the asynchronous client of PyMongo."
    )
    mongodb_pool_size: int = Field(
        32, ge=1, le=1000, description="Maximum number of connections that a process opens to MongoDB."
    )
    mongodb_timeout: float = Field(
        10.0, gt=0, le=300, description="Time-out of the selection of a MongoDB server, in seconds."
    )
    mongodb_silence: float = Field(
        3.0,
        ge=0,
        le=300,
        description="How long MongoDB may answer nothing, not even a ping, until reads, the checks of service keys and"
        " new subscriptions are refused as UNAVAILABLE, in seconds; 0 disables the limit.",
    )
    write_deadline: float = Field(
        20.0,
        gt=0,
        le=55,
        description="Time-out of a write with all its attempts, in seconds.",
    )
    tombstone_days: float = Field(
        7.0,
        ge=0,
        le=3_650,
        description="How long the ids of deleted sessions and messages are kept, in days: a subscriber that comes back"
        " within this time learns of the deletions that it missed.",
    )
    retention_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="How long a session is kept after its last change, in days: after that, it is invisible at once,"
        " and erased by the workers. Without it, sessions are kept. All processes need the same value.",
    )

    @property
    def retention(self) -> timedelta | None:
        """How long a session is kept after its last change; None for no bound."""
        return None if self.retention_days is None else timedelta(days=self.retention_days)


class AuthSettings(CheckedSettings):
    """The callers that are accepted, and the origins of their pages."""

    auth: Literal["auto", "required", "off", "off-anywhere"] = Field(
        "auto",
        description="Whether callers must authenticate; auto: when a RECALLQL_JWT_ key is set. off is for loopback;"
        " off-anywhere for where something else keeps strangers out, as a container's published port does.",
    )
    jwt_secret: Annotated[SecretStr | None, NO_FLAG, SEVERAL_LINES] = Field(
        None, description="Secret that signs the JWTs of end users with HS256."
    )
    jwt_public_key: Annotated[str | None, SEVERAL_LINES] = Field(
        None, description="Public key of the JWTs of end users (RS256, ES256, …): PEM text, or a file of it."
    )
    jwt_jwks_url: WebAddress | None = Field(
        None, description="URL of the JWKS with the public keys of the JWTs of end users."
    )
    jwt_issuer: str | None = Field(None, description="Required iss claim of JWTs.")
    jwt_audience: str | None = Field(
        None, description="The aud that a JWT must have; without it, one that has an aud is refused."
    )
    jwt_leeway: float = Field(10.0, ge=0, le=600, description="Accepted difference of clocks, in seconds.")
    jwt_session_prefix: SessionPrefix | None = Field(
        None,
        max_length=100,
        description="How ids of sessions that end users make must begin: {sub}: stands for the user's id and a colon."
        " The text after {sub} must be in no user's id. Without it, any free id is accepted.",
    )
    jwt_roles: Roles = Field(
        ("user", "human"),
        description="Roles of the messages that end users may add, edit and delete one by one, with commas between.",
    )
    tool_pairs: bool = Field(
        False,
        description="Whether a tool's result is refused without its call on its path in the session, and popMessage"
        " or replaceFrom if a call would stay without its result.",
    )
    allowed_origins: Origins = Field(
        (),
        description="Origins of web pages that may call, with commas between: https://app.example.com; * is any.",
    )
    allowed_headers: HeaderNames = Field(
        (),
        description="Request headers that those pages may send besides the usual ones, with commas between: x-tenant; *"
        " is any.",
    )


class LimitSettings(CheckedSettings):
    """Limits of one operation, and of one caller."""

    max_text: int = Field(20_000, ge=0, description="Maximum number of characters of a document; 0 disables the limit.")
    max_query_tokens: int = Field(
        1_000, ge=0, description="Maximum number of tokens of a document; 0 disables the limit."
    )
    max_depth: int = Field(15, ge=0, description="Maximum query depth; 0 disables the limit.")
    max_aliases: int = Field(30, ge=0, description="Maximum number of aliases in an operation; 0 disables the limit.")
    max_directives: int = Field(
        5, ge=0, description="Maximum number of directives on one element; 0 disables the limit."
    )
    max_root_fields: int = Field(20, ge=0, description="Maximum number of root fields; 0 disables the limit.")
    max_fields: int = Field(
        250,
        ge=0,
        description="Maximum number of fields of one selection set, duplicates included; 0 disables the limit.",
    )
    max_comparisons: int = Field(
        4_000,
        ge=0,
        description="Maximum number of comparisons of fields with the same response name in validation; 0 disables"
        " the limit.",
    )
    max_cost: int = Field(
        50_000,
        ge=0,
        description="Maximum cost of an operation: the number of objects that"
        " its response can hold; 0 disables the limit.",
    )
    max_answer_bytes: int = Field(
        16_777_216,
        ge=0,
        le=16_777_216,
        description="Maximum bytes that the reads of one operation bring for its answer: a page of a connection gets"
        " shorter, other answers are TOO_COSTLY; 0 disables the limit.",
    )
    report_cost: bool = Field(
        False,
        description="Whether every response reports its cost; by default, only"
        " requests with the header X-RecallQL-Cost get it.",
    )
    user_budget: int = Field(
        500_000,
        ge=0,
        description="Maximum cost per minute of each user with a JWT, in each process; 0 disables the limit.",
    )
    service_budget: int = Field(
        0, ge=0, description="Maximum cost per minute of each other caller, in each process; 0 disables the limit."
    )
    operation_timeout: float = Field(
        30.0,
        ge=0,
        description="Time-out of a query, in seconds; 0 disables it. Mutations have write_deadline.",
    )
    database_timeout: float = Field(
        20.0, ge=0, description="Time that MongoDB may spend on one query, in seconds; 0 disables the limit."
    )
    await_entities_timeout: float = Field(
        10.0, gt=0, le=60, description="Maximum seconds that addMemory(awaitEntities: true) waits for entities."
    )
    stream_timeout: float = Field(
        60.0,
        ge=2,
        le=86_400,
        description="Seconds without a piece after which a message that was started with startMessage is interrupted,"
        " and without a line after which a body of JSON lines ends.",
    )


class DocumentSettings(CheckedSettings):
    """Operations that are known before they are sent."""

    trusted_documents: UserPath | None = Field(
        None, description="Manifest of trusted documents, as graphql-codegen's client preset writes it."
    )
    trusted_documents_only: bool = Field(False, description="Whether only trusted documents are accepted.")
    persisted_queries: int = Field(
        4_194_304,
        ge=0,
        le=1_073_741_824,
        description="Bytes for texts that clients then name by hash (automatic persisted queries), by process; 0 turns"
        " that off.",
    )


class LiveSettings(CheckedSettings):
    """Subscriptions and the connections that carry them."""

    keep_alive: float = Field(15.0, gt=0, le=600, description="Interval of pings on a subscription, in seconds.")
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
        100, ge=1, le=10_000, description="Maximum number of concurrent operations on one WebSocket."
    )


class MCPSettings(CheckedSettings):
    """The credentials of `recallql mcp`."""

    mcp_key: Annotated[SecretStr | None, NO_FLAG, SEVERAL_LINES] = Field(
        None, description="Service key or JWT that recallql mcp sends."
    )


class LoggingSettings(CheckedSettings):
    """The level, the format and the contents of the log."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum log level.")
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of the log, which goes to standard error: text, or a JSON object a line."
    )
    slow_operation: float = Field(
        1.0,
        ge=0,
        le=3_600,
        description="Seconds from which an operation or job is logged as slow, with its commands of MongoDB; 0 disables"
        " that.",
    )


class TelemetrySettings(CheckedSettings):
    """The metrics and traces of the service."""

    metrics: MetricsAddress | None = Field(
        None,
        description="Where Prometheus reads the metrics of a server with its workers: an address with a port, as"
        " 127.0.0.1:9464, or key for /metrics of the API, with a service key. Without it, there are no metrics.",
    )
    otlp_endpoint: WebAddress | None = Field(
        None,
        description="URL of an OpenTelemetry collector that gets traces by OTLP over HTTP: http://localhost:4318."
        " Without it, there are no traces. Needs the packages of recallql[otel].",
    )
    trace_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the requests and jobs that are traced; one whose client sends a traceparent is traced if"
        " that says so.",
    )
