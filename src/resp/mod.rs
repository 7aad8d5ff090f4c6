//! The wire protocol: requests in, replies out, replies of others in.

pub mod reader;
pub mod request;
pub mod writer;

/// The protocol version that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every client starts with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}
