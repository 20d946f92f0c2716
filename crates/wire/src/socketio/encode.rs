//! Packets to clients, each written once, straight into its frame.
//!
//! Arguments are any mix of `Box<RawValue>` or `&RawValue`; their text goes out as it is. The text of a packet with
//! attachments and its binary messages are one [`Frame`], so that nothing can come between them.

use std::borrow::Borrow;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json;
use crate::websocket::{Frame, Opcode};

/// Longer than the Engine.IO and Socket.IO types, an attachment count, an id and the brackets.
const HEAD_BYTES: usize = 64;

/// The answer to CONNECT: exactly `{"sid":…}`.
pub fn encode_connect(namespace: &str, sid: &str) -> Frame {
    text(b'0', namespace, sid.len(), |payload| {
        payload.extend_from_slice(b"{\"sid\":");
        json::push_string(payload, sid);
        payload.push(b'}');
    })
}

/// The refusal of CONNECT.
pub fn encode_connect_error(namespace: &str, message: &str, data: Option<&RawValue>) -> Frame {
    text(
        b'4',
        namespace,
        message.len() + data.map_or(0, |data| data.get().len()),
        |payload| {
            payload.extend_from_slice(b"{\"message\":");
            json::push_string(payload, message);
            if let Some(data) = data {
                payload.extend_from_slice(b",\"data\":");
                payload.extend_from_slice(data.get().as_bytes());
            }
            payload.push(b'}');
        },
    )
}

/// The end of one namespace.
pub fn encode_disconnect(namespace: &str) -> Frame {
    text(b'1', namespace, 0, |_| {})
}

/// An event; with `ack` the client is asked for an acknowledgement.
pub fn encode_event(namespace: &str, name: &str, args: &[impl Borrow<RawValue>], ack: Option<u64>) -> Frame {
    text(b'2', namespace, name.len() + length(args), |payload| {
        push_ack_id(payload, ack);
        push_array(payload, Some(name), args);
    })
}

/// The acknowledgement that an event asked for.
pub fn encode_ack(namespace: &str, ack: u64, args: &[impl Borrow<RawValue>]) -> Frame {
    text(b'3', namespace, length(args), |payload| {
        push_ack_id(payload, Some(ack));
        push_array(payload, None, args);
    })
}

/// An event with attachments. `args` hold the placeholders, by which clients put the attachments in place. Without any it
/// is a plain event: clients refuse a packet that announces none.
pub fn encode_binary_event(
    namespace: &str,
    name: &str,
    args: &[impl Borrow<RawValue>],
    attachments: &[Bytes],
    ack: Option<u64>,
) -> Frame {
    if attachments.is_empty() {
        return encode_event(namespace, name, args, ack);
    }
    binary(
        b'5',
        namespace,
        name.len() + length(args),
        attachments,
        |payload| {
            push_ack_id(payload, ack);
            push_array(payload, Some(name), args);
        },
    )
}

/// An acknowledgement with attachments. `args` hold the placeholders; without attachments it is a plain one.
pub fn encode_binary_ack(
    namespace: &str,
    ack: u64,
    args: &[impl Borrow<RawValue>],
    attachments: &[Bytes],
) -> Frame {
    if attachments.is_empty() {
        return encode_ack(namespace, ack, args);
    }
    binary(b'6', namespace, length(args), attachments, |payload| {
        push_ack_id(payload, Some(ack));
        push_array(payload, None, args);
    })
}

fn text(kind: u8, namespace: &str, content_bytes: usize, content: impl FnOnce(&mut Vec<u8>)) -> Frame {
    Frame::build(
        Opcode::Text,
        HEAD_BYTES + namespace.len() + content_bytes,
        |payload| {
            payload.extend_from_slice(&[b'4', kind]);
            push_namespace(payload, namespace);
            content(payload);
        },
    )
}

fn binary(
    kind: u8,
    namespace: &str,
    content_bytes: usize,
    attachments: &[Bytes],
    content: impl FnOnce(&mut Vec<u8>),
) -> Frame {
    let head = Frame::build(
        Opcode::Text,
        HEAD_BYTES + namespace.len() + content_bytes,
        |payload| {
            payload.extend_from_slice(&[b'4', kind]);
            push_number(payload, attachments.len() as u64);
            payload.push(b'-');
            push_namespace(payload, namespace);
            content(payload);
        },
    );
    Frame::concat(std::iter::once(head).chain(attachments.iter().map(|bytes| Frame::binary(bytes))))
}

fn push_namespace(payload: &mut Vec<u8>, namespace: &str) {
    if namespace != "/" {
        payload.extend_from_slice(namespace.as_bytes());
        payload.push(b',');
    }
}

fn push_ack_id(payload: &mut Vec<u8>, ack: Option<u64>) {
    if let Some(ack) = ack {
        push_number(payload, ack);
    }
}

fn push_number(payload: &mut Vec<u8>, number: u64) {
    payload.extend_from_slice(number.to_string().as_bytes());
}

fn push_array(payload: &mut Vec<u8>, name: Option<&str>, args: &[impl Borrow<RawValue>]) {
    payload.push(b'[');
    if let Some(name) = name {
        json::push_string(payload, name);
    }
    for (index, arg) in args.iter().enumerate() {
        if index > 0 || name.is_some() {
            payload.push(b',');
        }
        payload.extend_from_slice(arg.borrow().get().as_bytes());
    }
    payload.push(b']');
}

fn length(args: &[impl Borrow<RawValue>]) -> usize {
    args.iter().map(|arg| arg.borrow().get().len() + 1).sum()
}
