//! One container and the MCP session over its standard streams.
//!
//! It is attached before it starts, so that no byte is lost, and removed when the value is dropped, by the
//! engine itself if the gateway has no time left: it ends with its input.

use std::sync::Arc;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, StartContainerOptions,
};
use futures_util::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::engine::DockerEngine;
use super::error::{DockerError, StartError};
use super::output::Output;
use crate::peer::{Ended, Listener, Session};

/// A container that runs, or did until a moment ago.
pub(super) struct Container {
    engine: DockerEngine,
    id: String,
    session: Session,
}

impl Container {
    /// Creates, attaches and starts a container whose messages have up to so many bytes. In a task of its own: whoever waits may give up, and of a
    /// container that is just being made only the engine's answer says which it is.
    pub(super) async fn start(
        engine: &DockerEngine,
        body: ContainerCreateBody,
        output: Arc<Output>,
        message: usize,
    ) -> Result<Self, StartError> {
        let engine = engine.clone();
        let task = tokio::spawn(async move { Self::begin(&engine, body, output, message).await });
        task.await.unwrap_or_else(|error| {
            let what = "start a container".to_owned();
            Err(DockerError::Refused { what, cause: error.to_string() }.into())
        })
    }

    async fn begin(
        engine: &DockerEngine,
        body: ContainerCreateBody,
        output: Arc<Output>,
        message: usize,
    ) -> Result<Self, StartError> {
        let docker = engine.docker();
        let opening = engine.opening().await.ok_or(StartError::Stopping)?;
        let created = docker.create_container(None::<CreateContainerOptions>, body).await;
        drop(opening);
        let id = created.map_err(|e| engine.refused("create a container", &e))?.id;
        let (session, lines) = Session::new(message, Arc::clone(&output) as Arc<dyn Listener>);
        // From here on it is removed whatever happens.
        let container = Self { engine: engine.clone(), id, session };
        let options = AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true);
        let attached = docker.attach_container(&container.id, Some(options.build())).await;
        let attached = attached.map_err(|e| engine.refused("attach to a container", &e))?;
        container.pump(attached, lines, output);
        let started = docker.start_container(&container.id, None::<StartContainerOptions>).await;
        started.map_err(|e| engine.refused("start a container", &e))?;
        Ok(container)
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn engine(&self) -> &DockerEngine {
        &self.engine
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn pump(&self, attached: AttachContainerResults, lines: mpsc::Receiver<Vec<u8>>, output: Arc<Output>) {
        let AttachContainerResults { output: mut bytes, input } = attached;
        tokio::spawn(write(input, lines, self.session.clone()));
        let session = self.session.clone();
        tokio::spawn(async move {
            while let Some(Ok(some)) = bytes.next().await {
                match some {
                    LogOutput::StdOut { message } | LogOutput::Console { message } => session.feed(&message),
                    LogOutput::StdErr { message } => output.stderr(&message),
                    LogOutput::StdIn { .. } => {}
                }
                if session.ended().is_some() {
                    break;
                }
            }
            session.end(Ended::Gone("its container ended".to_owned()));
        });
    }
}

/// Writes lines until nobody has any more, or they can't be taken. Then the input ends, which tells the
/// server to end too.
async fn write(mut input: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>, session: Session) {
    while let Some(line) = lines.recv().await {
        let written = async {
            input.write_all(&line).await?;
            input.flush().await
        };
        if let Err(error) = written.await {
            session.end(Ended::Gone(format!("it no longer reads: {error}")));
            break;
        }
    }
    drop(input.shutdown().await);
}

impl Drop for Container {
    fn drop(&mut self) {
        self.session.end(Ended::Gone("its container was stopped".to_owned()));
        let (engine, id) = (self.engine.clone(), std::mem::take(&mut self.id));
        // Outside of a runtime the process is ending, and what is left is for the next start to reap.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { engine.remove(&id).await });
        }
    }
}
