"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import Content as Content
from pipeline.delivery.encode import at_rate as at_rate
from pipeline.delivery.encode import decode as decode
from pipeline.delivery.encode import encode as encode
from pipeline.delivery.encode import render as render
from pipeline.delivery.tags import Labels as Labels
from pipeline.delivery.tags import labels_in as labels_in
from pipeline.delivery.tags import labels_of as labels_of
