from collections.abc import AsyncIterator
from typing import Any, Optional, Union
from uuid import UUID

from .abort_message import AbortMessage
from .add_memory import AddMemory
from .append_message import AppendMessage
from .base import Transport
from .base_model import UNSET, UnsetType
from .changes import Changes
from .context import Context
from .create_session import CreateSession
from .delete_items import DeleteItems
from .delete_memory import DeleteMemory
from .delete_session import DeleteSession
from .enums import SearchMode
from .finish_message import FinishMessage
from .follow import Follow
from .follow_stream import FollowStream
from .input_types import (
    AbortMessageInput,
    AddMemoryInput,
    AppendMessageInput,
    CreateSessionInput,
    DeleteItemsInput,
    DeleteMemoryInput,
    DeleteSessionInput,
    FinishMessageInput,
    ItemFilter,
    MessageFilter,
    PopMessageInput,
    PutItemsInput,
    RenewItemsInput,
    SessionFilter,
    StartMessageInput,
    UpdateMessageInput,
)
from .item import Item
from .item_namespaces import ItemNamespaces
from .items import Items
from .messages import Messages
from .pop_message import PopMessage
from .put_items import PutItems
from .renew_items import RenewItems
from .search import Search
from .session import Session
from .sessions import Sessions
from .start_message import StartMessage
from .update_message import UpdateMessage


def gql(q: str) -> str:
    return q


class Operations(Transport):
    async def add_memory(self, input: AddMemoryInput, **kwargs: Any) -> AddMemory:
        query = gql("""
            mutation AddMemory($input: AddMemoryInput!) {
              addMemory(input: $input) {
                replayed
                memory {
                  uuid
                  tokenCount
                  messages {
                    ...MessageFields
                  }
                }
                session {
                  sessionId
                  revision
                  messageCount
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="AddMemory", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AddMemory.model_validate(data)

    async def messages(
        self,
        session_id: str,
        first: Union[Optional[int], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        last: Union[Optional[int], UnsetType] = UNSET,
        before: Union[Optional[str], UnsetType] = UNSET,
        filter_: Union[Optional[MessageFilter], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Messages:
        query = gql("""
            query Messages($sessionId: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: MessageFilter) {
              session(sessionId: $sessionId) {
                messages(
                  first: $first
                  after: $after
                  last: $last
                  before: $before
                  filter: $filter
                ) {
                  edges {
                    cursor
                    node {
                      ...MessageFields
                    }
                  }
                  pageInfo {
                    hasNextPage
                    hasPreviousPage
                    startCursor
                    endCursor
                  }
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {
            "sessionId": session_id,
            "first": first,
            "after": after,
            "last": last,
            "before": before,
            "filter": filter_,
        }
        response = await self.execute(
            query=query, operation_name="Messages", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Messages.model_validate(data)

    async def context(
        self,
        max_tokens: int,
        query: Union[Optional[str], UnsetType] = UNSET,
        user_id: Union[Optional[str], UnsetType] = UNSET,
        session_id: Union[Optional[str], UnsetType] = UNSET,
        recent: Union[Optional[int], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Context:
        _query = gql("""
            query Context($maxTokens: Int!, $query: String, $userId: ID, $sessionId: ID, $recent: Int) {
              context(
                maxTokens: $maxTokens
                query: $query
                userId: $userId
                sessionId: $sessionId
                recent: $recent
              ) {
                text
                tokenCount
                omittedMessages
                messages {
                  ...MessageFields
                }
                recalled {
                  score
                  message {
                    ...MessageFields
                    session {
                      sessionId
                    }
                  }
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {
            "maxTokens": max_tokens,
            "query": query,
            "userId": user_id,
            "sessionId": session_id,
            "recent": recent,
        }
        response = await self.execute(
            query=_query, operation_name="Context", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Context.model_validate(data)

    async def search(
        self,
        query: str,
        user_id: Union[Optional[str], UnsetType] = UNSET,
        session_id: Union[Optional[str], UnsetType] = UNSET,
        first: Union[Optional[int], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        filter_: Union[Optional[MessageFilter], UnsetType] = UNSET,
        mode: Union[Optional[SearchMode], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Search:
        _query = gql("""
            query Search($query: String!, $userId: ID, $sessionId: ID, $first: Int, $after: String, $filter: MessageFilter, $mode: SearchMode) {
              search(
                query: $query
                userId: $userId
                sessionId: $sessionId
                first: $first
                after: $after
                filter: $filter
                mode: $mode
              ) {
                edges {
                  cursor
                  score
                  node {
                    ...MessageFields
                    session {
                      sessionId
                    }
                  }
                }
                pageInfo {
                  hasNextPage
                  endCursor
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {
            "query": query,
            "userId": user_id,
            "sessionId": session_id,
            "first": first,
            "after": after,
            "filter": filter_,
            "mode": mode,
        }
        response = await self.execute(
            query=_query, operation_name="Search", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Search.model_validate(data)

    async def follow(
        self,
        session_id: str,
        after_seq: Union[Optional[int], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> AsyncIterator[Follow]:
        query = gql("""
            subscription Follow($sessionId: ID!, $afterSeq: Int) {
              messageAdded(sessionId: $sessionId, afterSeq: $afterSeq) {
                ...MessageFields
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"sessionId": session_id, "afterSeq": after_seq}
        async for data in self.execute_ws(
            query=query, operation_name="Follow", variables=variables, **kwargs
        ):
            yield Follow.model_validate(data)

    async def changes(
        self,
        session_id: str,
        since_revision: Union[Optional[int], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> AsyncIterator[Changes]:
        query = gql("""
            subscription Changes($sessionId: ID!, $sinceRevision: Int) {
              messageUpdated(sessionId: $sessionId, sinceRevision: $sinceRevision) {
                kind
                seq
                uuid
                revision
                message {
                  ...MessageFields
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {
            "sessionId": session_id,
            "sinceRevision": since_revision,
        }
        async for data in self.execute_ws(
            query=query, operation_name="Changes", variables=variables, **kwargs
        ):
            yield Changes.model_validate(data)

    async def follow_stream(
        self,
        uuid: UUID,
        after_index: Union[Optional[int], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> AsyncIterator[FollowStream]:
        query = gql("""
            subscription FollowStream($uuid: UUID!, $afterIndex: Int) {
              messageStream(uuid: $uuid, afterIndex: $afterIndex) {
                index
                text
                data
                done
                status
                message {
                  ...MessageFields
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"uuid": uuid, "afterIndex": after_index}
        async for data in self.execute_ws(
            query=query, operation_name="FollowStream", variables=variables, **kwargs
        ):
            yield FollowStream.model_validate(data)

    async def create_session(
        self, input: CreateSessionInput, **kwargs: Any
    ) -> CreateSession:
        query = gql("""
            mutation CreateSession($input: CreateSessionInput!) {
              createSession(input: $input) {
                session {
                  ...SessionFields
                }
              }
            }

            fragment SessionFields on Session {
              sessionId
              uuid
              user {
                userId
              }
              createdAt
              updatedAt
              revision
              metadata
              messageCount
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="CreateSession", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return CreateSession.model_validate(data)

    async def session(self, session_id: str, **kwargs: Any) -> Session:
        query = gql("""
            query Session($sessionId: ID!) {
              session(sessionId: $sessionId) {
                ...SessionFields
              }
            }

            fragment SessionFields on Session {
              sessionId
              uuid
              user {
                userId
              }
              createdAt
              updatedAt
              revision
              metadata
              messageCount
            }
            """)
        variables: dict[str, object] = {"sessionId": session_id}
        response = await self.execute(
            query=query, operation_name="Session", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Session.model_validate(data)

    async def sessions(
        self,
        first: Union[Optional[int], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        filter_: Union[Optional[SessionFilter], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Sessions:
        query = gql("""
            query Sessions($first: Int, $after: String, $filter: SessionFilter) {
              sessions(first: $first, after: $after, filter: $filter) {
                edges {
                  node {
                    ...SessionFields
                  }
                }
                pageInfo {
                  hasNextPage
                  endCursor
                }
              }
            }

            fragment SessionFields on Session {
              sessionId
              uuid
              user {
                userId
              }
              createdAt
              updatedAt
              revision
              metadata
              messageCount
            }
            """)
        variables: dict[str, object] = {
            "first": first,
            "after": after,
            "filter": filter_,
        }
        response = await self.execute(
            query=query, operation_name="Sessions", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Sessions.model_validate(data)

    async def delete_session(
        self, input: DeleteSessionInput, **kwargs: Any
    ) -> DeleteSession:
        query = gql("""
            mutation DeleteSession($input: DeleteSessionInput!) {
              deleteSession(input: $input) {
                deletedId
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="DeleteSession", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return DeleteSession.model_validate(data)

    async def start_message(
        self, input: StartMessageInput, **kwargs: Any
    ) -> StartMessage:
        query = gql("""
            mutation StartMessage($input: StartMessageInput!) {
              startMessage(input: $input) {
                replayed
                message {
                  ...MessageFields
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="StartMessage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return StartMessage.model_validate(data)

    async def append_message(
        self, input: AppendMessageInput, **kwargs: Any
    ) -> AppendMessage:
        query = gql("""
            mutation AppendMessage($input: AppendMessageInput!) {
              appendMessage(input: $input) {
                nextIndex
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="AppendMessage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AppendMessage.model_validate(data)

    async def finish_message(
        self, input: FinishMessageInput, **kwargs: Any
    ) -> FinishMessage:
        query = gql("""
            mutation FinishMessage($input: FinishMessageInput!) {
              finishMessage(input: $input) {
                message {
                  ...MessageFields
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="FinishMessage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return FinishMessage.model_validate(data)

    async def abort_message(
        self, input: AbortMessageInput, **kwargs: Any
    ) -> AbortMessage:
        query = gql("""
            mutation AbortMessage($input: AbortMessageInput!) {
              abortMessage(input: $input) {
                message {
                  ...MessageFields
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="AbortMessage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return AbortMessage.model_validate(data)

    async def update_message(
        self, input: UpdateMessageInput, **kwargs: Any
    ) -> UpdateMessage:
        query = gql("""
            mutation UpdateMessage($input: UpdateMessageInput!) {
              updateMessage(input: $input) {
                message {
                  ...MessageFields
                }
              }
            }

            fragment MessageFields on Message {
              id
              uuid
              seq
              createdAt
              updatedAt
              revision
              role
              name
              toolCallId
              content
              parts
              metadata
              tokenCount
              status
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="UpdateMessage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return UpdateMessage.model_validate(data)

    async def delete_memory(
        self, input: DeleteMemoryInput, **kwargs: Any
    ) -> DeleteMemory:
        query = gql("""
            mutation DeleteMemory($input: DeleteMemoryInput!) {
              deleteMemory(input: $input) {
                deletedId
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="DeleteMemory", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return DeleteMemory.model_validate(data)

    async def pop_message(self, input: PopMessageInput, **kwargs: Any) -> PopMessage:
        query = gql("""
            mutation PopMessage($input: PopMessageInput!) {
              popMessage(input: $input) {
                poppedMessage {
                  id
                  uuid
                  seq
                  createdAt
                  role
                  name
                  toolCallId
                  content
                  parts
                  metadata
                  tokenCount
                }
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="PopMessage", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return PopMessage.model_validate(data)

    async def item(
        self, user_id: str, namespace: list[str], key: str, **kwargs: Any
    ) -> Item:
        query = gql("""
            query Item($userId: ID!, $namespace: [String!]!, $key: String!) {
              item(userId: $userId, namespace: $namespace, key: $key) {
                ...ItemFields
              }
            }

            fragment ItemFields on Item {
              namespace
              key
              value
              revision
              createdAt
              updatedAt
              ttl
              expiresAt
            }
            """)
        variables: dict[str, object] = {
            "userId": user_id,
            "namespace": namespace,
            "key": key,
        }
        response = await self.execute(
            query=query, operation_name="Item", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Item.model_validate(data)

    async def items(
        self,
        user_id: str,
        namespace_prefix: Union[Optional[list[str]], UnsetType] = UNSET,
        filter_: Union[Optional[list[ItemFilter]], UnsetType] = UNSET,
        query: Union[Optional[str], UnsetType] = UNSET,
        first: Union[Optional[int], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        last: Union[Optional[int], UnsetType] = UNSET,
        before: Union[Optional[str], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> Items:
        _query = gql("""
            query Items($userId: ID!, $namespacePrefix: [String!], $filter: [ItemFilter!], $query: String, $first: Int, $after: String, $last: Int, $before: String) {
              items(
                userId: $userId
                namespacePrefix: $namespacePrefix
                filter: $filter
                query: $query
                first: $first
                after: $after
                last: $last
                before: $before
              ) {
                edges {
                  score
                  node {
                    ...ItemFields
                  }
                }
                pageInfo {
                  hasNextPage
                  hasPreviousPage
                  startCursor
                  endCursor
                }
              }
            }

            fragment ItemFields on Item {
              namespace
              key
              value
              revision
              createdAt
              updatedAt
              ttl
              expiresAt
            }
            """)
        variables: dict[str, object] = {
            "userId": user_id,
            "namespacePrefix": namespace_prefix,
            "filter": filter_,
            "query": query,
            "first": first,
            "after": after,
            "last": last,
            "before": before,
        }
        response = await self.execute(
            query=_query, operation_name="Items", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return Items.model_validate(data)

    async def item_namespaces(
        self,
        user_id: str,
        prefix: Union[Optional[list[str]], UnsetType] = UNSET,
        suffix: Union[Optional[list[str]], UnsetType] = UNSET,
        max_depth: Union[Optional[int], UnsetType] = UNSET,
        first: Union[Optional[int], UnsetType] = UNSET,
        after: Union[Optional[str], UnsetType] = UNSET,
        **kwargs: Any,
    ) -> ItemNamespaces:
        query = gql("""
            query ItemNamespaces($userId: ID!, $prefix: [String!], $suffix: [String!], $maxDepth: Int, $first: Int, $after: String) {
              itemNamespaces(
                userId: $userId
                prefix: $prefix
                suffix: $suffix
                maxDepth: $maxDepth
                first: $first
                after: $after
              ) {
                edges {
                  node {
                    namespace
                  }
                }
                pageInfo {
                  hasNextPage
                  endCursor
                }
              }
            }
            """)
        variables: dict[str, object] = {
            "userId": user_id,
            "prefix": prefix,
            "suffix": suffix,
            "maxDepth": max_depth,
            "first": first,
            "after": after,
        }
        response = await self.execute(
            query=query, operation_name="ItemNamespaces", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return ItemNamespaces.model_validate(data)

    async def put_items(self, input: PutItemsInput, **kwargs: Any) -> PutItems:
        query = gql("""
            mutation PutItems($input: PutItemsInput!) {
              putItems(input: $input) {
                items {
                  key
                }
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="PutItems", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return PutItems.model_validate(data)

    async def renew_items(self, input: RenewItemsInput, **kwargs: Any) -> RenewItems:
        query = gql("""
            mutation RenewItems($input: RenewItemsInput!) {
              renewItems(input: $input) {
                items {
                  key
                }
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="RenewItems", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return RenewItems.model_validate(data)

    async def delete_items(self, input: DeleteItemsInput, **kwargs: Any) -> DeleteItems:
        query = gql("""
            mutation DeleteItems($input: DeleteItemsInput!) {
              deleteItems(input: $input) {
                deletedIds
              }
            }
            """)
        variables: dict[str, object] = {"input": input}
        response = await self.execute(
            query=query, operation_name="DeleteItems", variables=variables, **kwargs
        )
        data = self.get_data(response)
        return DeleteItems.model_validate(data)
