/** How many times as large as the question its answers may be. */
const MAX_FACTOR = 3;

/** Whether answers are so much larger than the question that who forges its sender could flood the one that they go to. */
export function amplifies(questionBytes: number, answerBytes: number): boolean {
  return answerBytes > MAX_FACTOR * questionBytes;
}
