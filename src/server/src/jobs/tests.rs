use std::sync::atomic::{AtomicU32, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::*;

const SOON: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(30);

fn page(figures: &JobFigures) -> String {
    let (mut registry, mut text) = (Registry::with_prefix("trailkeep"), String::new());
    figures.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text
}

/// A job that counts its steps, and does `each` with the count.
fn counting(
    each: impl Fn(u32) -> Result<Next, StepError> + Send + 'static,
) -> (Job, Arc<AtomicU32>) {
    let steps = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&steps);
    let job = Job::new("a-job", Duration::ZERO, "a job failed", move || {
        each(counted.fetch_add(1, Ordering::SeqCst))
    });
    (job, steps)
}

async fn reaches(steps: &AtomicU32, wanted: u32) {
    let reached = async {
        while steps.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(SOON).await;
        }
    };
    tokio::time::timeout(LONG, reached).await.unwrap();
}

#[tokio::test]
async fn what_fails_or_panics_is_counted_and_tried_again() {
    let figures = Arc::new(JobFigures::default());
    let mut supervisor = Supervisor::new(Arc::clone(&figures));
    let (job, steps) = counting(|step| match step {
        0 => Err("it is broken".into()),
        1 => panic!("it is worse"),
        2 => Ok(Next::BackOff),
        _ => Ok(Next::After(SOON)),
    });
    supervisor.start(job);
    reaches(&steps, 5).await;
    supervisor.stop(LONG).await;
    let page = page(&figures);
    let runs = format!(
        "job_runs_total{{name=\"a-job\"}} {}\n",
        steps.load(Ordering::SeqCst)
    );
    for line in [
        runs.as_str(),
        "job_failures_total{name=\"a-job\"} 3\n",
        "job_running{name=\"a-job\"} 0\n",
        "job_last_success_age_seconds{name=\"a-job\"} 0\n",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}

#[tokio::test]
async fn stopping_waits_for_the_step_that_runs_and_begins_no_other() {
    let mut supervisor = Supervisor::new(Arc::default());
    let (job, steps) = counting(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Ok(Next::After(Duration::ZERO))
    });
    let ended = Arc::clone(&job.step);
    supervisor.start(job);
    reaches(&steps, 1).await;
    supervisor.stop(LONG).await;
    assert!(ended.try_lock().is_some(), "the step still runs");
    let at_the_stop = steps.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(steps.load(Ordering::SeqCst), at_the_stop);
}

#[tokio::test]
async fn stopping_waits_no_longer_than_it_is_told() {
    let mut supervisor = Supervisor::new(Arc::default());
    let (job, steps) = counting(|_| {
        std::thread::sleep(Duration::from_secs(2));
        Ok(Next::After(Duration::ZERO))
    });
    supervisor.start(job);
    reaches(&steps, 1).await;
    let begun = std::time::Instant::now();
    supervisor.stop(Duration::from_millis(50)).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_job_with_nothing_left_to_do_ends() {
    let figures = Arc::new(JobFigures::default());
    let mut supervisor = Supervisor::new(Arc::clone(&figures));
    let (job, steps) = counting(|step| match step {
        0 => Ok(Next::After(SOON)),
        _ => Ok(Next::Done),
    });
    supervisor.start(job);
    while supervisor.running.join_next().await.is_some() {}
    assert_eq!(steps.load(Ordering::SeqCst), 2);
    assert!(!page(&figures).contains("a-job"));
}
