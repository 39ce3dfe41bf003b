//! A network between client and server that can be cut.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, LocalSet};

use crate::services::Server;

/// Passes bytes between its own port and the server's, within a [`LocalSet`].
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    connections: Rc<RefCell<Vec<AbortHandle>>>,
}

impl Proxy {
    /// Listens, and passes on what comes.
    pub async fn before(server: &Server, tasks: &LocalSet) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Rc::<RefCell<Vec<AbortHandle>>>::default();
        let (target, open) = ((server.host.clone(), server.port), Rc::clone(&connections));
        tasks.spawn_local(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = TcpStream::connect(target.clone()).await.unwrap();
                let passing = tokio::task::spawn_local(async move { copy_bidirectional(&mut client, &mut server).await });
                open.borrow_mut().push(passing.abort_handle());
            }
        });
        Self { port, connections }
    }

    /// The server as it is reached through this.
    pub fn in_front_of(&self, server: &Server) -> Server {
        Server { host: "127.0.0.1".into(), port: self.port, ..server.clone() }
    }

    /// Cuts every connection there is, and returns how many; new ones are passed on.
    pub fn cut(&self) -> usize {
        let connections = self.connections.take();
        connections.iter().for_each(AbortHandle::abort);
        connections.len()
    }
}
