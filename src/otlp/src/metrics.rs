//! Metrics: no event is made of them, so they are counted and nothing else of them is read.

use prost::Message;
use serde::Deserialize;

use super::decode::{DecodeError, Encoding};

/// What is told of data points that are rejected.
pub const NOT_RECORDED: &str = "metrics are not recorded: events are made of traces and logs; set \
    OTEL_METRICS_EXPORTER=none, or export metrics elsewhere";

/// How many data points a request has.
pub fn data_points(encoding: Encoding, body: &[u8]) -> Result<u64, DecodeError> {
    let request = match encoding {
        Encoding::Protobuf => Request::decode(body)?,
        Encoding::Json => serde_json::from_slice(body)?,
    };
    let scopes = request.resources.iter().flat_map(|group| &group.scopes);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    Ok(metrics.map(Metric::points).sum())
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    #[serde(rename = "resourceMetrics", alias = "resource_metrics")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    #[serde(rename = "scopeMetrics", alias = "scope_metrics")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct Scope {
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

/// Its kind is one of these.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct Metric {
    #[prost(message, optional, tag = "5")]
    gauge: Option<Points>,
    #[prost(message, optional, tag = "7")]
    sum: Option<Points>,
    #[prost(message, optional, tag = "9")]
    histogram: Option<Points>,
    #[prost(message, optional, tag = "10")]
    #[serde(rename = "exponentialHistogram", alias = "exponential_histogram")]
    exponential: Option<Points>,
    #[prost(message, optional, tag = "11")]
    summary: Option<Points>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct Points {
    #[prost(message, repeated, tag = "1")]
    #[serde(rename = "dataPoints", alias = "data_points")]
    points: Vec<Point>,
}

/// Nothing of it is read.
#[derive(Clone, PartialEq, Eq, Message, Deserialize)]
struct Point {}

impl Metric {
    fn points(&self) -> u64 {
        let kinds = [
            &self.gauge,
            &self.sum,
            &self.histogram,
            &self.exponential,
            &self.summary,
        ];
        let lists = kinds.into_iter().flatten();
        lists.map(|list| list.points.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_all_kinds_are_counted() {
        let points = |count| {
            Some(Points {
                points: vec![Point {}; count],
            })
        };
        let metric = Metric {
            gauge: points(1),
            ..Metric::default()
        };
        let other = Metric {
            histogram: points(2),
            ..Metric::default()
        };
        let last = Metric {
            summary: points(4),
            ..Metric::default()
        };
        let request = Request {
            resources: vec![Resource {
                scopes: vec![
                    Scope {
                        metrics: vec![metric, other],
                    },
                    Scope {
                        metrics: vec![last],
                    },
                ],
            }],
        };
        let counted = data_points(Encoding::Protobuf, &request.encode_to_vec());
        assert_eq!(counted, Ok(7));
        assert_eq!(data_points(Encoding::Protobuf, b""), Ok(0));
        data_points(Encoding::Protobuf, b"\xff\xff").unwrap_err();
        let json = br#"{"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [
            {"name": "a", "sum": {"dataPoints": [{"asInt": "1"}, {}], "isMonotonic": true}},
            {"name": "b", "exponential_histogram": {"data_points": [{}]}}, {"name": "c"}]}]}]}"#;
        assert_eq!(data_points(Encoding::Json, json), Ok(3));
        assert_eq!(data_points(Encoding::Json, b"{}"), Ok(0));
        data_points(Encoding::Json, br#"{"resourceMetrics": 1}"#).unwrap_err();
    }
}
