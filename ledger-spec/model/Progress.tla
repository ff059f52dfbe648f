------------------------------ MODULE Progress ------------------------------
(* Models the duties of a tool (section 5 of ../deciding.md). Honest members that see each other  *)
(* decide within Soon rounds, whatever one liar shows to whom and when. All proposals have q      *)
(* approvals here.                                                                                *)
(*                                                                                                *)
(* A storm comes first. In rounds 0 to Storm honest members cast ANY votes that count (rules 1 to *)
(* 5a). This covers whatever duties, delays and lost messages would have caused. Calm can begin   *)
(* at any moment.                                                                                 *)
(*                                                                                                *)
(* In the calm an honest member's entry reaches the others before any patience runs out. So it is *)
(* known to all at once, with everything that it builds on. Only the liar's votes are known to    *)
(* some members: `open` are those that an honest entry builds on, shown[m] those that m alone has *)
(* been shown. The liar may cast two votes in one round and phase.                                *)
(*                                                                                                *)
(* Time is an order. First comes whatever is due at once. Then patience runs out for a round in   *)
(* which q have voted (5a). Then comes the guide's patience for the round it has gone to, and     *)
(* last twice that, the others' patience (5c). The first two are one round's patience apart, and  *)
(* the last two another's. What has run out for a member stays so (`ripe`): a member that comes   *)
(* to a round later waits while the others do not.                                                *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Honest, Liar,
          Values,      \* numbers, in the order of ids
          Q, F,
          Storm,       \* the last round of the storm
          Blind,       \* TRUE: instead of a storm, some have prevoted in round 0, without seeing each other
          Soon,        \* how many more rounds a decision can take
          Lies,        \* how often the liar can show somebody a vote in the calm
          LiarGuides,  \* a round whose guide the liar is
          Without      \* duties taken away; {} for the program's duties

VARIABLES pv, pc,      \* honest votes, by member and round
          at,          \* the round that each member has voted in or gone to
          ripe,        \* what each has waited long enough for in that round: to go on, to prevote
          open, shown, \* the liar's votes that all know, and that single members know
          order,       \* the order of members: the guide of round r is order[r % n]
          since        \* the highest round when calm began; -1 in the storm
vars == <<pv, pc, at, ripe, open, shown, order, since>>

Members == Honest \cup {Liar}
Max(S) == CHOOSE r \in S : \A s \in S : s <= r
Min(S) == CHOOSE r \in S : \A s \in S : r <= s
N == Cardinality(Members)
MaxRound == Storm + Soon + 1
Rounds == 0..Min({MaxRound, Max({at[m] : m \in Honest}) + 1}) \* no vote is above these
None == 0
Kept(duty) == duty \notin Without
Symmetry == Permutations(Honest)
Guide(r) == order[r % N]

NoVotes == [m \in Honest |-> [r \in 0..MaxRound |-> None]]
Init == /\ pc = NoVotes
        /\ pv \in IF Blind THEN {[m \in Honest |-> [NoVotes[m] EXCEPT ![0] = first[m]]] : first \in [Honest -> Values \cup {None}]}
                   ELSE {NoVotes}
        /\ at = [m \in Honest |-> 0] /\ ripe = [m \in Honest |-> {}]
        /\ open = {} /\ shown = [m \in Honest |-> {}]
        /\ order \in {o \in [0..N - 1 -> Members] : /\ o[LiarGuides % N] = Liar
                                                     /\ \A m \in Members : \E i \in 0..N - 1 : o[i] = m}
        /\ since = IF Blind THEN 0 ELSE -1

---------------------------------------------------------------------------
(* What follows from the honest votes and from the liar's votes in k. A liar's vote is <<phase,   *)
(* round, value>>.                                                                                *)
LiarIf(condition) == IF condition THEN {Liar} ELSE {}
Prevoters(k, v, r) == {m \in Honest : pv[m][r] = v} \cup LiarIf(<<"prevote", r, v>> \in k)
Precommitters(k, v, r) == {m \in Honest : pc[m][r] = v} \cup LiarIf(<<"precommit", r, v>> \in k)
IsQuorum(members) == Cardinality(members) >= Q
Voted(m, r) == pv[m][r] # None \/ pc[m][r] # None
Voters(k, r) == {m \in Honest : Voted(m, r)} \cup LiarIf(\E vote \in k : vote[2] = r)
Entered(k, r) == IF r = 0 THEN TRUE ELSE IsQuorum(Voters(k, r - 1))
PrevoteQuorum(k, v, r) == IsQuorum(Prevoters(k, v, r))
DecidedIn(k, r) == \E v \in Values : IsQuorum(Precommitters(k, v, r))
Decided(k) == \E r \in Rounds : DecidedIn(k, r)
K(m) == open \cup shown[m]

(* Rules 1 to 5a: whether m can cast this vote, if it knows k. *)
LockRound(m) == LET rs == {r \in Rounds : pc[m][r] # None} IN IF rs = {} THEN -1 ELSE Max(rs)
InOrder(m, votes, r) == votes[m][r] = None /\ \A s \in Rounds : s > r => ~Voted(m, s)
MayPrevote(k, m, v, r) == /\ InOrder(m, pv, r) /\ Entered(k, r)
   /\ LET l == LockRound(m) IN IF l = -1 THEN TRUE ELSE
      pc[m][l] = v \/ \E s \in Rounds : l < s /\ s < r /\ PrevoteQuorum(k, v, s)
MayPrecommit(k, m, v, r) == InOrder(m, pc, r) /\ Entered(k, r) /\ PrevoteQuorum(k, v, r)

---------------------------------------------------------------------------
(* What is due to m, which knows the liar's votes in k (5a to 5e). *)
Stuck(k, r) == LET prevoted == UNION {Prevoters(k, v, r) : v \in Values}
                   most == Max({Cardinality(Prevoters(k, v, r)) : v \in Values})
               IN most + N - Cardinality(prevoted) < Q
ManyAbove(k, r) == Cardinality(UNION {Voters(k, s) : s \in {s \in Rounds : s > r}}) > F

NotBelow(m) == IF Kept("5d") THEN at[m] ELSE Max({0} \cup {r \in Rounds : Voted(m, r)})
DuePrecommits(m, k) == {r \in NotBelow(m)..Max(Rounds) : pc[m][r] = None /\ \E v \in Values : PrevoteQuorum(k, v, r)}
GoesNow(k, r) == IsQuorum(Voters(k, r)) /\ (Stuck(k, r) \/ ManyAbove(k, r))

Quorums(k, below) == {s \in 0..below - 1 : \E v \in Values : PrevoteQuorum(k, v, s)}
QuorumValue(k, r) == Min({v \in Values : PrevoteQuorum(k, v, r)})
(* 5b. The proposal of the lowest id that has q approvals is the lowest of all here. *)
Preference(m, k, r) ==
   LET quorums == Quorums(k, r)
       locks   == {s \in 0..r - 1 : pc[m][s] # None}
       highest == IF ~Kept("5b") /\ locks # {} THEN Max(locks) ELSE Max(quorums \cup locks)
   IN IF quorums \cup locks = {} THEN Min(Values)
      ELSE IF highest \in locks THEN pc[m][highest] ELSE QuorumValue(k, highest)
(* The prevote that m casts in r: the guide's if that counts, else its preference; None if        *)
(* neither counts.                                                                                *)
GuideSays(k, r) == IF r = 0 \/ ~Kept("guide") THEN {} ELSE {v \in Values : Guide(r) \in Prevoters(k, v, r)}
Choice(m, k, r) ==
   LET guided == {v \in GuideSays(k, r) : MayPrevote(k, m, v, r)}
       own    == IF r = 0 THEN Min(Values) ELSE Preference(m, k, r)
   IN IF guided # {} THEN Min(guided) ELSE IF MayPrevote(k, m, own, r) THEN own ELSE None

(* The next step: its kind, its round, its value, and how soon. 1 is at once, 2 after patience    *)
(* for the round in which q have voted, 3 after the guide's patience, 4 after the others'.        *)
ChoosesAfter(m, k, r) == IF r = 0 \/ ~Kept("guide") \/ (GuideSays(k, r) # {} /\ Guide(r) # m) THEN 1
                         ELSE IF Guide(r) = m THEN (IF Kept("guide waits") THEN 3 ELSE 1)
                         ELSE IF Kept("two patiences") THEN 4 ELSE 3
Steps(m, k) ==
   LET r == at[m]
       due == DuePrecommits(m, k)
       tells == /\ Kept("5e") /\ ~Decided(open)
                /\ \E s, t \in Rounds, h \in Honest \ {m} : s < t /\ DecidedIn(k, s) /\ Voted(h, t)
   IN IF Decided(k) THEN (IF tells THEN {<<"tell", 0, None, 1>>} ELSE {})
      ELSE IF due # {} THEN {<<"precommit", Max(due), QuorumValue(k, Max(due)), 1>>}
      ELSE IF GoesNow(k, r) THEN {<<"go", r + 1, None, 1>>}
      ELSE (IF IsQuorum(Voters(k, r)) THEN {<<"go", r + 1, None, 2>>} ELSE {})
           \cup (IF Voted(m, r) \/ Choice(m, k, r) = None THEN {}
                 ELSE {<<"prevote", r, Choice(m, k, r), ChoosesAfter(m, k, r)>>})
DueIn(m, step) == IF step[1] \in ripe[m] THEN 1 ELSE step[4]
Soonest == LET all == UNION {{DueIn(m, step) : step \in Steps(m, K(m))} : m \in Honest} IN IF all = {} THEN 5 ELSE Min(all)
(* Marks as ripe every step whose patience has run out by `soonest`. at' says which members have *)
(* gone to another round.                                                                         *)
RipeAfter(soonest) == [m \in Honest |-> IF at'[m] # at[m] THEN {}
   ELSE ripe[m] \cup {step[1] : step \in {step \in Steps(m, K(m)) : step[4] > 1 /\ step[4] <= soonest}}]

(* What the liar can show m at that moment: nothing, a vote that counts on what m knows, or a     *)
(* precommit with the prevote that it cites. The liar shows what changes m's next step; before    *)
(* that it can as well wait.                                                                      *)
Offer(k) == LET prevotes == {<<"prevote", r, v>> : r \in {r \in Rounds : Entered(k, r)}, v \in Values}
                precommits == {vote \in {<<"precommit", r, v>> : r \in Rounds, v \in Values} :
                   Cardinality(Precommitters(k, vote[3], vote[2])) = Q - 1}
            IN {{vote} : vote \in prevotes} \cup {{vote, <<"prevote", vote[2], vote[3]>>} : vote \in precommits}
Told == UNION {{<<m, vote>> : vote \in shown[m]} : m \in Honest}
Shows(m) == IF Cardinality(Told) >= Lies \/ Decided(K(m)) THEN {{}}
            ELSE {{}} \cup {s \in Offer(K(m)) : Steps(m, K(m) \cup s) # Steps(m, K(m))}

(* An entry of m builds on everything that m knows, and everyone receives it. Going to a round    *)
(* makes an entry only if others would lack the votes that let m go. If honest entries hold q of  *)
(* them, everyone has them.                                                                       *)
IsMissed(r) == Kept("5e votes") /\ ~Entered(open, r)
Take(m, k, step) ==
   /\ at' = IF step[1] = "tell" THEN at ELSE [at EXCEPT ![m] = step[2]]
   /\ pv' = IF step[1] = "prevote" THEN [pv EXCEPT ![m][step[2]] = step[3]] ELSE pv
   /\ pc' = IF step[1] = "precommit" THEN [pc EXCEPT ![m][step[2]] = step[3]] ELSE pc
   /\ open' = IF step[1] = "go" /\ ~IsMissed(step[2]) THEN open ELSE open \cup k
Acts(m, soonest) == \E s \in Shows(m) : LET k == K(m) \cup s IN
   /\ shown' = [shown EXCEPT ![m] = @ \cup s] /\ UNCHANGED <<order, since>>
   /\ \/ \E step \in Steps(m, k) : DueIn(m, step) <= soonest /\ step[2] <= MaxRound /\ Take(m, k, step)
      \/ s # {} /\ Decided(k) /\ UNCHANGED <<pv, pc, at, open>> \* m falls silent
   /\ ripe' = RipeAfter(soonest)

---------------------------------------------------------------------------
(* In the storm the liar shows a vote to whoever needs it. That member's next entry builds on it. *)
InTurn(r) == \A h \in Honest, s \in Rounds : s > r => ~Voted(h, s) \* as in Slot.tla
Offers(r) == {{}} \cup {{<<"prevote", s, v>>} : s \in {s \in 0..r : Entered(open, s)}, v \in Values}
Stormy(m) ==
   \/ \E v \in Values, r \in at[m]..Storm : InTurn(r) /\ \E offer \in Offers(r) :
      LET k == open \cup offer IN
      /\ open' = k /\ at' = [at EXCEPT ![m] = r] /\ UNCHANGED <<ripe, shown, order, since>>
      /\ \/ MayPrevote(k, m, v, r) /\ pc[m][r] = None /\ pv' = [pv EXCEPT ![m][r] = v] /\ UNCHANGED pc
            /\ (offer # {} => ~Entered(open, r))
         \/ MayPrecommit(k, m, v, r) /\ pc' = [pc EXCEPT ![m][r] = v] /\ UNCHANGED pv
            /\ (offer # {} => ~PrevoteQuorum(open, v, r))
   \/ \E offer \in Offers(at[m]) : /\ at[m] < Storm /\ Entered(open \cup offer, at[m] + 1)
                                  /\ (offer # {} => ~Entered(open, at[m] + 1))
                                  /\ shown' = [shown EXCEPT ![m] = @ \cup offer]
                                  /\ at' = [at EXCEPT ![m] = @ + 1] /\ UNCHANGED <<pv, pc, ripe, open, order, since>>
Calm == /\ since' = Max({at[m] : m \in Honest}) /\ UNCHANGED <<pv, pc, at, ripe, open, shown, order>>

Next == \/ since = -1 /\ (Calm \/ \E m \in Honest : Stormy(m))
        \/ since # -1 /\ LET soonest == Soonest IN \E m \in Honest : Acts(m, soonest)
Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
(* A member that knows a decision relays it when others go on. *)
DecidesSoon == since # -1 =>
   LET told == IF \E m \in Honest : Decided(K(m)) THEN 1 ELSE 0 IN \A m \in Honest : at[m] <= since + Soon + told
NobodyWaitsForEver == since = -1 \/ Soonest < 5 \/ \A m \in Honest : Decided(K(m))
(* What the liar has shown to one member is no more than what all know, once that member has      *)
(* built on it.                                                                                   *)
View == <<pv, pc, at, ripe, open, [m \in Honest |-> shown[m] \ open], Cardinality(Told), order, since>>
=============================================================================
