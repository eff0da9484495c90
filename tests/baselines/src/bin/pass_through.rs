//! A proxy without any policy: what warm requests are compared with. It sends each request on to `BACKEND_URL`, and the
//! answer back as it comes, or in one piece if `INVOKE_MODE` is `buffered`.
#![allow(clippy::disallowed_methods, reason = "it has no settings but these variables")]

use lambda_http::{Body, Error, Request, RequestExt, Response, run, run_with_streaming_response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let backend = std::env::var("BACKEND_URL")?;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let (client, backend) = (&client, &*backend);
    if std::env::var("INVOKE_MODE").is_ok_and(|mode| mode == "buffered") {
        run(service_fn(|request: Request| async move { in_one_piece(pass(client, backend, request).await?).await }))
            .await
    } else {
        run_with_streaming_response(service_fn(|request: Request| async move {
            Ok::<_, Error>(Response::<reqwest::Body>::from(pass(client, backend, request).await?))
        }))
        .await
    }
}

async fn pass(client: &reqwest::Client, backend: &str, request: Request) -> Result<reqwest::Response, Error> {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{backend}{}{query}", request.raw_http_path());
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove("host");
    headers.remove("content-length");
    let body = match body {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    Ok(client.request(parts.method, url).headers(headers).body(body).send().await?)
}

async fn in_one_piece(answer: reqwest::Response) -> Result<Response<Body>, Error> {
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(answer.bytes().await?.to_vec()))?)
}
