//! From a method's name to its result: the one list of methods, per era.

use super::envelope::Request;
use super::params::Params;
use super::revision::Revision;
use super::{discover, tools_call, tools_list};
use crate::auth::Principal;
use crate::catalog::View;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::pipeline;

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who.
    pub principal: Principal,
    /// At which endpoint.
    pub view: View,
}

/// The result of a request, as JSON text. `initialize` is the transport's to answer, since a
/// session comes of it.
///
/// # Errors
/// Any [`Error`]; what goes wrong in a tool is a result.
pub async fn answer(
    gateway: &Gateway,
    context: &Context,
    revision: Revision,
    request: &Request<'_>,
    params: &Params<'_>,
) -> Result<Vec<u8>, Error> {
    match (&*request.method, revision.is_stateless()) {
        ("tools/call", _) => {
            let call = tools_call::call(&context.view, params)?;
            let completed = pipeline::call(gateway, &context.principal, call).await?;
            Ok(tools_call::result(&completed, revision))
        }
        ("tools/list", _) => tools_list::result(gateway, &context.view, revision, params),
        ("server/discover", true) => Ok(discover::result(gateway)),
        ("ping", false) => Ok(b"{}".to_vec()),
        (method, _) => Err(Error::MethodNotFound(method.to_owned())),
    }
}
