"""An application with a real instrumentation and a model that answers what it is told.

Which instrumentation is its one argument. Where the telemetry goes stands in the usual two variables,
OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS, and nowhere else.
"""

import json
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ANSWER = {
    "object": "chat.completion",
    "created": 1795593600,
    "model": "mock-model-2026",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It was filed by Zoë."}}
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18},
}


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({**ANSWER, "id": f"chatcmpl-{uuid.uuid4()}"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main(instrumentation):
    model = HTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    resource = Resource.create({"service.name": "claims-app", "service.version": "1.4"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    if instrumentation == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor
    else:
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    import openai

    client = openai.OpenAI(base_url=f"http://127.0.0.1:{model.server_port}/v1", api_key="none")
    tracer = trace.get_tracer("claims-app")
    # The user is known to the request around the call, which ends last.
    with tracer.start_as_current_span("POST /ask", attributes={"user.id": "u-77"}):
        client.chat.completions.create(
            model="mock-model", messages=[{"role": "user", "content": "Who filed it, Zoë?"}], temperature=0.5
        )
    provider.shutdown()


main(sys.argv[1])
