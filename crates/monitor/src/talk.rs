//! What `watch` and `serve` say to each other, over a socket that `watch` made for the two.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::MetricValue;
use crate::sample::Sample;

/// Longest message, bytes. Who sends more is not one of us.
const MESSAGE_MAX: usize = 4 * 1024 * 1024;

/// Most descriptors that come with one message.
const DESCRIPTORS_MAX: usize = 2;

/// What `serve` says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// How is the node?
    Sample,
    /// What the node's own endpoint showed: for its report.
    Scraped(Vec<MetricValue>),
}

/// What `watch` says; the last one unasked, when the node has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// So.
    Sample(Box<Sample>),
    /// A module of this name shares our watch. With the message come its pidfd and what it counts into.
    Joined(String),
}

/// Sends one message.
///
/// # Errors
/// Where the other side has gone, or does not read.
pub(crate) fn send(mut stream: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    stream.write_all(&frame(message)?)
}

/// Sends one message, and descriptors with it.
///
/// # Errors
/// As [`send`].
pub(crate) fn send_with(
    stream: &UnixStream,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let whole = frame(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(stream, &[IoSlice::new(&whole)], &mut control, SendFlags::NOSIGNAL)?;
    let mut rest = stream;
    rest.write_all(whole.get(sent..).unwrap_or_default())
}

/// Reads what there is, with the descriptors that came.
///
/// # Errors
/// As reading does.
pub(crate) fn read_with(
    stream: &UnixStream,
    piece: &mut [u8],
    descriptors: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(stream, &mut [IoSliceMut::new(piece)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came);
        }
    }
    Ok(received.bytes)
}

/// A message as it goes over the socket.
///
/// # Errors
/// Where it is none.
pub(crate) fn frame(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut whole = length.to_le_bytes().to_vec();
    whole.extend_from_slice(&body);
    Ok(whole)
}

/// Waits for the next message.
///
/// # Errors
/// `UnexpectedEof` where the other side has gone; `WouldBlock` where the stream has a timeout and nothing came.
pub(crate) fn receive<T: DeserializeOwned>(mut stream: &UnixStream) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; checked(length)?];
    stream.read_exact(&mut body)?;
    read(&body)
}

/// Takes the first whole message out of what has come; nothing where there is none yet.
pub(crate) fn take<T: DeserializeOwned>(coming: &mut Vec<u8>) -> Option<io::Result<T>> {
    let length = match checked(*coming.first_chunk()?) {
        Ok(length) => length,
        Err(error) => {
            coming.clear();
            return Some(Err(error));
        }
    };
    let message = coming.get(4..4 + length).map(read);
    message.inspect(|_| drop(coming.drain(..4 + length)))
}

fn checked(length: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MESSAGE_MAX { Err(io::ErrorKind::InvalidData.into()) } else { Ok(length) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    postcard::from_bytes(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
