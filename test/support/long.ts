/** Whether tests take their long form (`CUSTODIA_LONG=1`, set by `.ci/run`): more rounds, all of many cases, every examination to its end. */
export const isLong = process.env.CUSTODIA_LONG === '1';
