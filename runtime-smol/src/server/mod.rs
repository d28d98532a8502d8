//! The server: the core's machine on sockets.
//!
//! One thread runs it. A task for each connection moves bytes between its socket and the machine; the pump gives the
//! machine time and does what it wants done; attempts, programs and commits are tasks too. Nothing here takes a lock or
//! decides anything. Each file imports only from those below it:
//!
//! ```text
//!   builder   handle                                                  what a program holds
//!   run   restore   standby                                           a server, from its start to its end
//!   pump                                                              what the machine wants done
//!   accept   connection   attempt   connect   program   commit  sweep  the tasks
//!   engine   pass                                                     what they share
//!   buffers   media   pace   storage   store_thread   stop   unheld    what that is made of
//!   relay   upload   way   caller   broken   patience
//! ```
//!
//! ```
//! use dubhook_smol::server::Server;
//! use std::{io::{Read, Write}, net::TcpStream};
//!
//! let server = Server::builder().listen("127.0.0.1:0").capacity(100).bind()?.start()?;
//! let mut client = TcpStream::connect(server.address())?;
//! client.write_all(b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! server.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod attempt;
mod broken;
mod buffers;
mod builder;
mod caller;
mod commit;
mod connect;
mod connection;
mod engine;
mod handle;
mod held;
mod media;
mod pace;
mod pass;
mod patience;
mod program;
mod pump;
mod relay;
mod restore;
mod run;
mod standby;
mod stop;
mod storage;
mod store_thread;
mod sweep;
mod unheld;
mod upload;
mod way;

pub use builder::{Builder, StartError};
pub use handle::Handle;
pub use run::{RunError, Server};
pub use stop::Stopper;
