import { useEffect, useState } from 'react';
import { follow } from '../api';
import { graphql } from '../gql';
import type { MessageFields } from './message';

const MESSAGE_STREAM = graphql(`
  subscription MessageStream($uuid: UUID!) {
    messageStream(uuid: $uuid) {
      index
      text
      message {
        ...MessageFields
      }
    }
  }
`);

const GATHERING = 50; // milliseconds in which pieces are shown at once

/** The text of a message as it is written; the content of one that is not being written. */
export function useStreamed(message: MessageFields, onEnd: (message: MessageFields) => void): string {
  const { uuid, content } = message;
  const isStreaming = message.status === 'STREAMING';
  const [written, setWritten] = useState('');
  useEffect(() => {
    if (!isStreaming) return undefined;
    let [text, next] = ['', 0];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = follow(
      MESSAGE_STREAM,
      { uuid },
      ({ messageStream: piece }) => {
        if (piece.message) onEnd(piece.message);
        // After a reconnection, the pieces come from the first one on.
        else if (piece.index === next) {
          text += piece.text;
          next += 1;
          timer ??= setTimeout(() => {
            timer = undefined;
            setWritten(text);
          }, GATHERING);
        }
      },
      () => undefined,
    );
    return () => {
      clearTimeout(timer);
      stop();
    };
    // Not again for another function: it puts the message in its place whichever it is.
  }, [uuid, isStreaming]);
  return isStreaming && written !== '' ? written : content;
}
