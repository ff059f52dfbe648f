------------------------------- MODULE Traces -------------------------------
(* Behaviours of Slot.tla, with the verdict on every vote in every state. tests/model_traces.rs   *)
(* replays them with the program. Votes come in any order here, also out of turn. An honest       *)
(* member's verdict is that on an entry that builds on the whole ledger.                          *)
EXTENDS Slot
VARIABLES said,     \* the last vote
          verdicts, \* on each vote that an honest member could cast next
          outcome   \* what has a prevote quorum, and what is decided, with the rounds

Phases == {"prevote", "precommit"}
Verdicts == [vote \in Honest \X Phases \X Values \X Rounds |->
   IF vote[2] = "prevote" THEN PrevoteVerdict(vote[1], vote[3], vote[4]) ELSE PrecommitVerdict(vote[1], vote[3], vote[4])]
Outcome == <<{<<v, r>> \in Values \X Rounds : PrevoteQuorum(v, r)}, {<<v, r>> \in Values \X Rounds : DecidedIn(v, r)}>>

TraceInit == Init /\ said = <<>> /\ verdicts = Verdicts /\ outcome = Outcome
TraceNext == \E m \in Honest, v \in Values, r \in Rounds :
   /\ \/ MayStillPrevote(m, r) /\ Prevote(m, v, r) /\ said' = <<m, "prevote", v, r>>
      \/ Precommit(m, v, r) /\ said' = <<m, "precommit", v, r>>
   /\ verdicts' = Verdicts' /\ outcome' = Outcome'
TraceSpec == TraceInit /\ [][TraceNext]_<<vars, said, verdicts, outcome>>
=============================================================================
