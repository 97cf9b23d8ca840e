#!/usr/bin/env python3
"""Explores every interleaving of a small lane: one producer, one reader, each atomic operation one step.

    lane_model.py            prints how many states each lane had; exits 1 if one of them breaks a rule

Steps and names are those of src/lane/lane.hpp and lane_reader.hpp. The rules, in every state:
  - the producer always finds a spare block, and never writes to one that the reader is inside of;
  - what the reader finds in a block is that block's: its header, its context, its events under their true numbers;
  - a block that was left to the reader is sealed; a jumbo is ended once, by whoever had it last;
  - what count_ahead() takes for the oldest block in the lane is the oldest one;
  - captured() is no less than what was captured when it was asked, and no more than when it answered;
and when the lane is closed and the reader has seen it and then nothing: taken + overrun == captured, no jumbo left.

Memory here is sequentially consistent: what a weaker one allows is for lane_relacy.cpp to find. To show that the rules
can fail, variants that are wrong on purpose follow: each of them must break one.
"""
import sys
from collections import namedtuple

NONE, SEAL = 'none', 'seal'
EMPTY = (0, -1, False)  # a slot: sequence, block (-1: none), pinned

# at: the step that comes next. content: what was published in each block, as (kind, tag); the tag of an event is its true
# number, of a context the sequence of its block. jumbo: what the block's header says.
State = namedtuple('State', 'p_at sequence block events closed spares slots returned content first header jumbo ended ' 'has_jumbo jumbos '
                            'count_from count count_again '
                            'r_at wanted r_sequence r_block position next_event taken orphan context seen saw_closed look')


class Broken(Exception):
    pass


def require(holds, what):
    if not holds:
        raise Broken(what)


def with_item(items, index, value):
    return items[:index] + (value,) + items[index + 1:]


class Model:
    def __init__(self, last, kinds, room, slots=2, spare=2, counts=False, asks=False, wrong=None):
        """`last` blocks in all, each with up to `room` records of these kinds; `counts`: the reader counts ahead, too;
        `asks`: it asks for captured(), too."""
        self.last, self.kinds, self.room, self.slots, self.spare = last, kinds, room, slots, spare
        self.counts, self.asks, self.wrong = counts, asks, wrong

    def start(self):
        n = self.slots + self.spare
        return State('idle', 0, -1, 0, False, tuple(reversed(range(n))), (EMPTY,) * self.slots, frozenset(), ((),) * n,
                     (-1,) * n, (0,) * n, (-1,) * n, frozenset(), False, 0, 0, 0, 0,
                     'look', 1, 0, -1, 0, 0, 0, False, None, None, False, None)

    # ---- the producer

    def produce(self, s):
        if s.p_at == 'idle':
            if s.closed:
                return
            if s.block >= 0 and len(s.content[s.block]) < self.room:
                for kind in self.kinds:
                    yield from self.append(s, kind)
            if s.sequence < self.last:
                yield self.seal(s)._replace(p_at='collect')
            else:
                yield self.seal(s)._replace(p_at='close')
        elif s.p_at == 'close':
            yield s._replace(p_at='idle', closed=True)
        elif s.p_at == 'collect':
            spares = s.spares + tuple(sorted(s.returned))
            require(spares, 'no spare block')
            block = spares[-1]  # the last one in
            require(block != s.r_block or not self.inside(s), 'a block is written that the reader is inside of')
            require(s.jumbo[block] < 0, 'a block with a jumbo is used again')
            context = (('context', s.sequence + 1),) if 'context' in self.kinds else ()
            yield s._replace(p_at='count from' if self.asks else 'slot', spares=spares[:-1], returned=frozenset(), block=block,
                             sequence=s.sequence + 1, content=with_item(s.content, block, context),
                             first=with_item(s.first, block, s.events),
                             header=with_item(s.header, block, s.sequence + 1), has_jumbo=False)
        # first_, the cursor, first_again_
        elif s.p_at == 'count from':
            yield s._replace(p_at='count', count_from=s.events)
        elif s.p_at == 'count':
            yield s._replace(p_at='count again', count=0)
        elif s.p_at == 'count again':
            yield s._replace(p_at='slot', count_again=s.events)
        elif s.p_at == 'slot':  # a look: where it is empty, a store follows, else an exchange
            empty = s.slots[s.sequence % self.slots][1] < 0
            yield s._replace(p_at='fill' if empty or self.wrong == 'no exchange' else 'exchange')
        elif s.p_at == 'fill':
            yield s._replace(p_at='idle', slots=with_item(s.slots, s.sequence % self.slots, (s.sequence, s.block, False)))
        elif s.p_at == 'exchange':
            at = s.sequence % self.slots
            _, old, pinned = s.slots[at]
            s = s._replace(p_at='idle', slots=with_item(s.slots, at, (s.sequence, s.block, False)))
            if old >= 0 and (not pinned or self.wrong == 'a pinned block is taken'):
                s = self.end_jumbo(s, old)
                s = s._replace(spares=s.spares + (old,), content=with_item(s.content, old, ()))
            yield s

    def append(self, s, kind):
        if kind == 'jumbo':
            if s.has_jumbo:
                return
            s = s._replace(has_jumbo=True, jumbo=with_item(s.jumbo, s.block, s.jumbos), jumbos=s.jumbos + 1)
        tag = s.sequence if kind == 'context' else s.events
        s = s._replace(content=with_item(s.content, s.block, s.content[s.block] + ((kind, tag),)))
        yield s if kind == 'context' else s._replace(events=s.events + 1, count=s.count + 1 if self.asks else 0)

    def seal(self, s):
        if s.block < 0 or self.wrong == 'no seal':
            return s
        return s._replace(content=with_item(s.content, s.block, s.content[s.block] + ((SEAL, 0),)))

    def end_jumbo(self, s, block):
        jumbo = s.jumbo[block]
        if jumbo < 0:
            return s
        require(jumbo not in s.ended, 'a jumbo is ended twice')
        return s._replace(ended=s.ended | {jumbo}, jumbo=with_item(s.jumbo, block, -1))

    # ---- the reader

    @staticmethod
    def inside(s):
        return s.r_at in ('word', 'release', 'leave', 'give back') or s.look is not None and s.look[1] is not None

    def read(self, s):
        at = s.wanted % self.slots
        mine = (s.r_sequence, s.r_block, True)
        if s.r_at == 'done':
            return
        if s.r_at == 'look':
            if not s.saw_closed and s.closed:
                yield s._replace(saw_closed=True)
            word = s.slots[at]
            if word[0] == s.wanted:
                require(word[1] >= 0, 'the block wanted is gone already')
                yield s._replace(r_at='pin', seen=word)
            elif word[0] > s.wanted:
                yield s._replace(wanted=word[0] - self.slots + 1)
            elif s.saw_closed:
                require(s.taken <= s.next_event, 'more taken than there was')
                overrun = s.next_event - s.taken
                require(s.taken + overrun == s.events, 'taken + overrun is not captured')
                require(len(s.ended) == s.jumbos, 'a jumbo was left')
                yield s._replace(r_at='done')
            if self.counts:
                yield s._replace(r_at='count look', look=(s.wanted, None))
            if self.asks:
                yield s._replace(r_at='ask', look=(s.events, None))
        elif s.r_at == 'pin':
            if s.slots[at] != s.seen:
                yield s._replace(r_at='look', seen=None)
                return
            s = s._replace(r_at='word', slots=with_item(s.slots, at, (s.seen[0], s.seen[1], True)), seen=None)
            if s.r_sequence != s.wanted:  # begin_block
                block = s.slots[at][1]
                require(s.header[block] == s.wanted, 'the header is not of the block')
                s = s._replace(r_sequence=s.wanted, r_block=block, position=0, next_event=s.first[block], context=None)
            yield s
        elif s.r_at == 'word':
            content = s.content[s.r_block]
            require(s.header[s.r_block] == s.r_sequence, 'the block was overwritten under the reader')
            kind, tag = content[s.position] if s.position < len(content) else (NONE, 0)
            require(kind != NONE or not s.orphan, 'a block left to the reader is not sealed')
            if kind == SEAL:
                yield s._replace(r_at='give back' if s.orphan else 'leave')
                return
            if kind == 'context':
                require(tag == s.r_sequence, 'the context is of another block')
                yield s._replace(position=s.position + 1, context=tag)
            elif kind != NONE:
                require(tag == s.next_event, 'an event under a wrong number')
                require(s.context is not None or 'context' not in self.kinds, 'no context before the event')
                popped = s._replace(position=s.position + 1, next_event=s.next_event + 1, taken=s.taken + 1)
                if kind == 'jumbo':
                    require(s.jumbo[s.r_block] >= 0, 'the jumbo is gone')
                    popped = self.end_jumbo(popped, s.r_block)
                yield popped
            if not s.orphan:
                yield s._replace(r_at='release')
            if self.counts:
                yield s._replace(r_at='count look', look=(s.wanted + 1, s.r_at))
        elif s.r_at == 'release':
            if s.slots[at] == mine:
                yield s._replace(r_at='look', slots=with_item(s.slots, at, mine[:2] + (False,)))
            else:
                yield s._replace(r_at='word', orphan=True)
        elif s.r_at == 'leave':
            if s.slots[at] == mine:
                s = s._replace(slots=with_item(s.slots, at, (s.r_sequence, -1, False)))
            yield s._replace(r_at='give back')
        elif s.r_at == 'give back':
            yield s._replace(r_at='look', wanted=s.wanted + 1, orphan=False, r_block=-1, returned=s.returned | {s.r_block},
                             content=with_item(s.content, s.r_block, ()))
        # count_ahead(): a look at the slot, at the block's first event, at the slot again
        elif s.r_at == 'count look':
            wanted, back = s.look
            word = s.slots[wanted % self.slots]
            if word[0] > wanted:
                yield s._replace(look=(word[0] - self.slots + 1, back))
            elif word[0] < wanted:
                yield s._replace(r_at=back or 'look', look=None)
            else:
                yield s._replace(r_at='count first', look=(wanted, back, word))
        elif s.r_at == 'count first':
            yield s._replace(r_at='count again', look=s.look + (s.first[s.look[2][1]],))
        elif s.r_at == 'count again':
            wanted, back, word, first = s.look
            same = s.slots[wanted % self.slots] == word or self.wrong == 'no second look'
            if same:
                require(first == s.first[word[1]] and s.header[word[1]] == word[0], 'the oldest block is not the oldest')
                yield s._replace(r_at=back or 'look', look=None)
            else:
                yield s._replace(r_at='count look', look=(wanted, back))
        # captured(): first_again_, the cursor, first_
        elif s.r_at == 'ask':
            yield s._replace(r_at='ask cursor', look=(s.look[0], None, s.count_again))
        elif s.r_at == 'ask cursor':
            yield s._replace(r_at='ask first', look=s.look + (s.count,))
        elif s.r_at == 'ask first':
            least, _, again, count = s.look
            captured = again + count if s.count_from == again or self.wrong == 'one number' else s.count_from
            require(least <= captured <= s.events, 'captured() is wrong')
            yield s._replace(r_at='look', look=None)

    def explore(self):
        start = self.start()
        seen, todo, ends = {start}, [start], 0
        while todo:
            state = todo.pop()
            ends += state.r_at == 'done'
            for side in (self.produce, self.read):
                for following in side(state):
                    if following not in seen:
                        seen.add(following)
                        todo.append(following)
        require(ends > 0, 'the reader never came to an end')
        return len(seen)


def main():
    good = True
    for name, model in (
            ('events', Model(5, ('event',), 1)),
            ('two records a block', Model(4, ('event',), 2)),
            ('3 slots', Model(5, ('event',), 1, slots=3)),
            ('counting ahead', Model(5, ('event',), 1, counts=True)),
            ('asking how many', Model(4, ('event',), 2, asks=True)),
            ('contexts', Model(4, ('event', 'context'), 2)),
            ('jumbos', Model(5, ('event', 'jumbo'), 1))):
        try:
            print(f'{name}: {model.explore()} states, every rule holds', flush=True)
        except Broken as broken:
            print(f'{name}: BROKEN: {broken}')
            good = False
    for name, model in (
            ('one spare block', Model(5, ('event',), 1, spare=1)),
            ('a pinned block is taken', Model(4, ('event',), 1, wrong='a pinned block is taken')),
            ('no seal', Model(4, ('event',), 1, wrong='no seal')),
            ('no exchange', Model(5, ('event',), 1, wrong='no exchange')),
            ('no second look', Model(5, ('event',), 1, counts=True, wrong='no second look')),
            ('one number', Model(4, ('event',), 2, asks=True, wrong='one number'))):
        try:
            model.explore()
            print(f'wrong on purpose, {name}: NOT FOUND')
            good = False
        except Broken as broken:
            print(f'wrong on purpose, {name}: {broken}')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
