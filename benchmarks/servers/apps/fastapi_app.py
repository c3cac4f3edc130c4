"""FastAPI with its own validation, by pydantic."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field


class Owner(BaseModel):
    name: str = Field(max_length=80)
    city: str


class Pet(BaseModel):
    name: str = Field(min_length=1, max_length=50)
    status: Literal["available", "pending", "sold"]
    owner: Owner


app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/users/{id}/posts/{post_id}")
async def get_post(id: int, post_id: int, limit: Annotated[int, Query(ge=1, le=100)]) -> dict[str, int]:
    return {"id": id, "post_id": post_id, "limit": limit}


@app.post("/pets")
async def create_pet(pet: Pet) -> Pet:
    return pet
