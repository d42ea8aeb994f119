/** What asks a run for a report kills a process that does not listen, and SIGUSR1 has Node open its debugger, on port 9229. */
for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
