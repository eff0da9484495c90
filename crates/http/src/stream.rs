//! A backend's body on its way through, bounded in time.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use faregate_engine::body::BodyError;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::failure::describe;
use crate::limits::{BodyLimits, after};

/// Passes data on as it comes; trailers are dropped, and after an error there is nothing more.
///
/// Only the backend's silence counts as idle: the clock runs while a reader waits, and stops while nobody asks.
/// Dropping it, or its failing, drops the connection under an unfinished body.
pub(crate) struct BoundedBody<B> {
    inner: Option<B>,
    limits: BodyLimits,
    /// When the backend's present silence is too long.
    idle_end: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> BoundedBody<B> {
    pub(crate) fn new(inner: B, limits: BodyLimits) -> Self {
        Self { inner: Some(inner), limits, idle_end: None, timer: None }
    }

    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.inner = None;
        self.timer = None;
        Poll::Ready(Some(Err(error)))
    }

    /// The nearer of the two limits, now that the backend is silent.
    fn next_end(&mut self) -> Option<(Instant, BodyError)> {
        if self.idle_end.is_none() {
            self.idle_end = after(Instant::now(), self.limits.idle);
        }
        let idle = self.idle_end.map(|end| (end, BodyError::IdleTimeout));
        [idle, self.limits.end.clone()].into_iter().flatten().min_by_key(|(end, _)| *end)
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some((end, error)) = self.next_end() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => self.fail(error),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<B> Body for BoundedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // A backend that never pauses never gets to the timer.
        if let Some((_, error)) = self.limits.end.clone().filter(|(end, _)| *end <= Instant::now())
            && self.inner.is_some()
        {
            return self.fail(error);
        }
        loop {
            let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
            match Pin::new(inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.idle_end = None;
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    _ => {}
                },
                Poll::Ready(Some(Err(error))) => {
                    let text = describe(&error);
                    return self.fail(BodyError::Reset(text));
                }
                Poll::Ready(None) => self.inner = None,
                Poll::Pending => return self.poll_end(context),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use bytes::Bytes;
    use faregate_engine::body::BodyError;
    use http_body::{Body, Frame};
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;
    use tokio::time::{Instant, advance};

    use super::BoundedBody;
    use crate::limits::BodyLimits;

    const SECOND: Duration = Duration::from_secs(1);

    /// Frames as they are sent; it breaks off never, and ends when its sender is gone.
    struct Frames(mpsc::UnboundedReceiver<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_recv(context).map(|frame| frame.map(Ok))
        }
    }

    fn body(limits: BodyLimits) -> (mpsc::UnboundedSender<Frame<Bytes>>, BoundedBody<Frames>) {
        let (sender, frames) = mpsc::unbounded_channel();
        (sender, BoundedBody::new(Frames(frames), limits))
    }

    async fn next(body: &mut BoundedBody<Frames>) -> Option<Result<Bytes, BodyError>> {
        let frame = body.frame().await?;
        Some(frame.map(|frame| frame.into_data().expect("data")))
    }

    #[tokio::test(start_paused = true)]
    async fn idle_is_counted_only_while_the_reader_waits_for_the_backend() {
        let (sender, mut body) = body(BodyLimits { idle: Some(2 * SECOND), end: None });
        for text in ["a", "b"] {
            sender.send(Frame::data(Bytes::from(text))).expect("open");
        }
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from("a"))));
        advance(10 * SECOND).await;
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from("b"))));
        advance(10 * SECOND).await;
        let asked = Instant::now();
        assert_eq!(next(&mut body).await, Some(Err(BodyError::IdleTimeout)));
        assert!(asked.elapsed() >= 2 * SECOND);
        assert_eq!(next(&mut body).await, None);
        assert!(sender.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn frames_without_bytes_do_not_break_the_silence() {
        let (sender, mut body) = body(BodyLimits { idle: Some(2 * SECOND), end: None });
        let (answer, ()) = tokio::join!(next(&mut body), async {
            advance(SECOND).await;
            sender.send(Frame::data(Bytes::new())).expect("open");
            tokio::task::yield_now().await;
            advance(SECOND).await;
        });
        assert_eq!(answer, Some(Err(BodyError::IdleTimeout)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearer_limit_names_the_end() {
        let now = Instant::now();
        for (idle, end, error) in [
            (Some(SECOND), Some((now + 5 * SECOND, BodyError::StreamTimeout)), BodyError::IdleTimeout),
            (Some(9 * SECOND), Some((now + 5 * SECOND, BodyError::StreamTimeout)), BodyError::StreamTimeout),
            (None, Some((now + 9 * SECOND, BodyError::Deadline)), BodyError::Deadline),
        ] {
            let (_sender, mut body) = body(BodyLimits { idle, end });
            assert_eq!(next(&mut body).await, Some(Err(error)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_never_pauses_ends_in_time_too() {
        let end = Some((Instant::now() + SECOND, BodyError::StreamTimeout));
        let (sender, mut body) = body(BodyLimits { idle: None, end });
        for _ in 0..3 {
            sender.send(Frame::data(Bytes::from("a"))).expect("open");
        }
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from("a"))));
        advance(SECOND).await;
        assert_eq!(next(&mut body).await, Some(Err(BodyError::StreamTimeout)));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_has_ended_meets_no_limit() {
        let end = Some((Instant::now() + SECOND, BodyError::Deadline));
        let (sender, mut body) = body(BodyLimits { idle: Some(SECOND), end });
        drop(sender);
        assert_eq!(next(&mut body).await, None);
        advance(2 * SECOND).await;
        assert_eq!(next(&mut body).await, None);
        assert!(body.is_end_stream());
    }
}
