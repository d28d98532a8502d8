"""FastAPI as this project's first version used it: `uvicorn fastapi_server:app`, with uvloop and httptools."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/status")
async def status() -> dict[str, str]:
    return {"status": "pending"}
